export { describeAttack } from "./attack.ts";
export { benchSummary, benchTable } from "./bench.ts";
export { benchmarkCsv, benchmarkMarkdown, benchmarkTable, whatIsMissing } from "./benchmark.ts";
export { frontChart } from "./charts/front.ts";
export { chartFile } from "./charts/svg.ts";
export { corruptionsTable } from "./corruptions.ts";
export { type AttackedImage, attackGallery, embeddingAttackTable } from "./embedding-attack.ts";
export { attackTitle, evaluationTable } from "./evaluation.ts";
export { fidelityTable } from "./fidelity.ts";
export { amplifiedDifference, galleryPng, imagePng } from "./gallery.ts";
export { interpretabilityTables } from "./interpretability.ts";
export { saliencyPicture, synthesisPicture } from "./interpretability-pictures.ts";
export { probesTable } from "./probes.ts";
export {
  type QuickstartFacts,
  type QuickstartRow,
  quickstartCells,
  quickstartHeadline,
  quickstartReport,
} from "./quickstart.ts";
export { overImages, percent, textTable } from "./table.ts";
export { type ReportOptions, report } from "./write.ts";
