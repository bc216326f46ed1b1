export { downloadDataset } from "./dataset.ts";
export { downloadEncoder, isHubId, parseHubId } from "./download.ts";
export { settingsFiles } from "./files.ts";
export { isPickle, pickleRefusal } from "./pickle.ts";
export type { DownloadOptions, DownloadProgress } from "./snapshot.ts";
