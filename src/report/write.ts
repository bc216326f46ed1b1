import { readReportInput } from "./input.ts";

export interface ReportOptions {
  /** The page's heading. Default "Robustness report". */
  readonly title?: string;
}

/**
 * One self-contained HTML page: it fetches nothing, runs no script, and reads on a phone and on paper.
 *
 * @param folders run folders of `lore train`, and folders that measuring commands were given as `--out`
 * @throws UsageError for a folder that is neither
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
  { title = "Robustness report" }: ReportOptions = {},
): Promise<string> {
  const input = readReportInput(folders);
  // Charts take longer to load than most commands to start.
  const { reportPage } = await import("./report.ts");
  return reportPage(input, title);
}
