import { readFileSync } from "node:fs";
import { env } from "onnxruntime-common";

/** The version in the package's own package.json. */
export function packageVersion(): string {
  const file = new URL("../package.json", import.meta.url);
  return (JSON.parse(readFileSync(file, "utf8")) as { readonly version: string }).version;
}

/** Versions that a result may depend on. */
export function versions(): Readonly<Record<string, string>> {
  return { "lore-vision": packageVersion(), node: process.version, onnxruntime: env.versions.common };
}
