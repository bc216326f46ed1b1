import { readReportInput } from "./input.ts";

export interface ReportOptions {
  /** The page's heading. Default "Robustness report". */
  readonly title?: string;
  /** Defaults of `lore train`'s options, by their names in `run.json`: settings that equal them are not shown. */
  readonly defaults?: Readonly<Record<string, unknown>>;
  /** Told of each thing that cannot be shown. */
  readonly onWarning?: (message: string) => void;
}

/**
 * One self-contained HTML page: it fetches nothing, runs no script, and reads on a phone and on paper.
 *
 * @param folders run folders of `lore train`, folders that measuring commands were given as `--out`, or any above them
 * @throws UsageError for a folder that does not exist, and where nothing is found that can be shown
 *
 * @example
 * ```ts
 * import { writeFileSync } from "node:fs";
 * import { report } from "lore-vision";
 *
 * writeFileSync("report.html", await report(["runs/clip"], { title: "CLIP on our photos" }));
 * ```
 */
export async function report(
  folders: readonly string[],
  { title = "Robustness report", onWarning, ...options }: ReportOptions = {},
): Promise<string> {
  const input = readReportInput(folders, onWarning ? { onWarning } : {});
  // Charts take longer to load than most commands to start.
  const { reportPage } = await import("./report.ts");
  return reportPage(input, { title, ...options });
}
