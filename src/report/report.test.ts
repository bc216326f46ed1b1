import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { UsageError } from "../errors.ts";
import { encoders, sampleDescription, sampleFinding, sampleKinds, sampleMetrics } from "../testing/sample-findings.ts";
import { paretoFront } from "./charts/tradeoff.ts";
import { shortNumber } from "./charts/training.ts";
import { type ReportInput, readReportInput } from "./input.ts";
import { castOf } from "./legend.ts";
import { escapeHtml } from "./page.ts";
import { reportPage } from "./report.ts";

const run = (folder: string, steps: number, rho?: number) => ({
  ...{ folder, description: sampleDescription(rho), metrics: sampleMetrics(steps, rho !== undefined) },
});
const input: ReportInput = {
  runs: [run("runs/fare", 1000), run("./runs/lore/", 1000, 0.1)],
  findings: sampleKinds.map((kind) => ({ folder: `results/${kind}`, finding: sampleFinding(kind) })),
};
const page = reportPage(input, "A <title>");

/** Rows of tables below a heading, cells apart by tabs. */
function rowsBelow(heading: string): readonly string[] {
  const [, section = ""] = page.split(`<h2>${escapeHtml(heading)}</h2>`);
  const [body = ""] = section.split("</section>");
  return [...body.matchAll(/<tr[^>]*>(.*?)<\/tr>/gs)].map(([, row = ""]) =>
    row
      .replaceAll(/<\/t[hd]>/g, "\t")
      .replaceAll(/<[^>]*>/g, "")
      .trimEnd(),
  );
}

const original = "clip &lt;original&gt; &amp; co";

describe("numbers in the page are those of the findings", () => {
  it("accuracy under each attack, in its section and in the summary", () => {
    expect(rowsBelow('Accuracy: photos/"val"')).toContain("lore\t87.1 %\t77.1 %\t67.1 %\t47.1 %");
    expect(rowsBelow("Summary")).toContain("pgd 2/255\t11.4 %\t64.2 %\t67.1 %");
    // Of those measured the best is bold, and only that.
    expect(page).toContain("<td>64.2 %</td><td><strong>67.1 %</strong></td>");
  });

  it("corruptions: the mean over severities, the mean corruption error", () => {
    const rows = rowsBelow("Common corruptions: photos/val");
    // 0.914 - 0.01 (1 + 2 + 3 + 4 + 5) / 5
    expect(rows).toContain("shot_noise\t88.4 %\t76.2 %\t82.1 %");
    expect(rows).toContain("mean corruption error\t100.0 %\t107.3 %\t114.6 %");
    expect(rowsBelow("Summary")).toContain("mean corruption error\t100.0 %\t107.3 %\t114.6 %");
  });

  it("fidelity, probes, interpretability", () => {
    const fidelity = rowsBelow("Fidelity: photos/val");
    expect(fidelity).toContain("lore, attacked\t8.4 [4.2, 12.6]\t0.21 [0.105, 0.315]\t0.895 [0.448, 1.34]");
    expect(fidelity).toContain("fare\t87.3 %\t41.2 %\t30.0 %\t60.0 %\t30.0 %");
    expect(fidelity).toContain("0.75 to 1\t0.0 %\t8.3 %\t24.3 %");
    expect(rowsBelow("Probes: photos/val")).toContain(`${original}\t93.4 %\t99.0 %\t0.001\t80.0 %\t85.0 %`);
    expect(rowsBelow("Interpretability: photos/val")).toContain(
      "fare\t0.251 [0.126, 0.377]\t0.57 [0.285, 0.855]\t1.5/255 [0.75/255, 2.25/255]\t95.0 % (to 8/255)",
    );
  });

  it("benchmark: published rows are set apart, what is missing is said", () => {
    expect(rowsBelow("Benchmark: two-sets")).toContain("FARE-2 (published [1])\t-\t44.4\t44.4 (1 of 2)");
    expect(page).toMatch(/<tr class="apart"><th scope="row">FARE-2/);
    expect(page).toContain("stl10: not on this machine");
  });

  it("training: where runs ended, lambda over batches", () => {
    const rows = rowsBelow("Training");
    expect(rows[1]).toMatch(/^fare\tK 1\t1000\t32000\t-\t/);
    expect(rows[2]).toMatch(/^lore\trho 0.1, K 5\t1000\t32000\t/);
    const { lambdaMean } = sampleMetrics(1000, true).at(-1)!;
    expect(rows[2]!.split("\t")[4]).toBe(shortNumber(lambdaMean!));
    const mean = sampleMetrics(1000, true).slice(500 - 33, 500);
    const lambda = mean.reduce((sum, one) => sum + one.lambdaMean!, 0) / 33;
    expect(rows).toContain(`500\t${shortNumber(lambda)}`);
  });

  it("commands, machine and warnings", () => {
    expect(page).toContain(
      "$ lore evaluation --encoder 'assets/clip &lt;original&gt; &amp; co' --out results/evaluation",
    );
    expect(page).toContain("Some CPU, 8 cores, 16 GiB, linux x64; lore-vision 0.1.0, node v20.0.0");
    expect(page).toContain("Gradients vanish on 12 of 500 images; &lt;accuracy&gt; may be too high.");
    for (const text of [
      "The captions of 2 files are left out.",
      "300 neighbours were asked",
      "2 classes have the same name.",
    ])
      expect(page).toContain(`<strong>Warning:</strong> ${text}`);
  });

  it("what could not be read", () => {
    expect(page).toContain("300 images of photos/val (3 more could not be read), embeddings compared");
    expect(page).toContain("100 images of photos/val (2 more could not be read), 10 classes, 2 templates");
    expect(page).toContain("measured on 500 images of photos/val, 10 classes. 1 image more could not be read.");
  });
});

it("does not draw distances of different kinds on one axis", () => {
  const classes = { objective: { constraint: { divergence: "classes", margin: { rho: 1 } } } };
  const mixed = [run("a", 9, 0.1), { ...run("b", 9, 0.1), description: classes }, run("c", 9)];
  const html = reportPage({ runs: mixed, findings: [] }, "t");
  const columns = [...html.matchAll(/<h3>Clean distance[^<]*<\/h3>.*?<thead>(.*?)<\/thead>/gs)].map(([, head = ""]) =>
    head
      .replaceAll(/<[^>]*>/g, " ")
      .trim()
      .split(/ {2,}/),
  );
  expect(columns).toEqual([
    ["batch", "a", "a, allowed", "c"],
    ["batch", "b", "b, allowed"],
  ]);
});

it("is one file without scripts, small, with a title and each name escaped", () => {
  expect(page).not.toMatch(/<script|<link|@import|url\((?!#)|src="(?!data:)/);
  expect(page).not.toContain("<original>");
  expect(page).toContain("<h1>A &lt;title&gt;</h1>");
  expect(page.length).toBeLessThan(1e6);
  // A thousand batches are at most 400 points a line.
  for (const [, path] of page.matchAll(/<path d="([^"]*)"/g)) expect(path!.split("L").length).toBeLessThanOrEqual(401);
  const ids = [...page.matchAll(/ id="([^"]*)"/g)].map(([, id]) => id);
  expect(new Set(ids).size).toBe(ids.length);
});

it("says of every chart what it is over, and has its numbers", () => {
  const figures = [...page.matchAll(/<figure[^>]*>.*?<\/figure>/gs)].map(([figure]) => figure);
  expect(figures.length).toBeGreaterThan(15);
  for (const figure of figures) {
    expect(figure).toMatch(/<svg role="img" aria-label="[^"]{20,}"/);
    expect(figure).toMatch(/<figcaption>.*\d+ (training )?images|\d+ images a severity/);
  }
});

it("calls encoders by as little as tells them apart, and knows the run of each", () => {
  const names = ["a/x/encoder", "b/x/encoder", "./runs/y/encoder", "z/model.safetensors"];
  const content = { ...{ train: "", test: "", trainImages: 1, testImages: 1, classes: 1 }, encoders: [] };
  const finding = { ...sampleFinding("probes"), kind: "probes" as const, content };
  const of = names.map((encoder) => ({
    encoder,
    ...{ linear: { accuracy: 1, trainAccuracy: 1, regularization: 1, converged: true }, neighbours: [] },
  }));
  const cast = castOf({
    runs: [run("runs/y", 3, 0.2)],
    findings: [{ folder: "", finding: { ...finding, content: { ...content, encoders: of } } }],
  });
  expect(cast.members.map(({ short }) => short)).toEqual([
    "a/x/encoder",
    "b/x/encoder",
    "y/encoder",
    "z/model.safetensors",
  ]);
  expect(cast.of("runs/y")).toBe(cast.of("./runs/y/encoder"));
  expect(cast.of("runs/y").settings).toBe("rho 0.2, K 5");
  expect(new Set(cast.members.map(({ look }) => look.symbol)).size).toBe(4);
});

it("the Pareto front has those that nothing beats in both", () => {
  const point = (clean: number, robust: number) => ({ clean, robust });
  const [a, b, c, d, twin] = [point(0.9, 0.1), point(0.8, 0.5), point(0.7, 0.5), point(0.5, 0.6), point(0.5, 0.6)];
  expect(paretoFront([a, b, c, d, twin])).toEqual([d, twin, b, a]);
  expect(paretoFront([])).toEqual([]);
});

describe("folders", () => {
  const base = mkdtempSync(join(tmpdir(), "lore-report-"));
  afterAll(() => rmSync(base, { recursive: true, force: true }));

  it("are runs, measurements, or both; else it says what they lack", () => {
    const folder = join(base, "both");
    mkdirSync(folder);
    expect(() => readReportInput([folder])).toThrow(/neither a run of lore train .* nor holds a measurement/);
    expect(() => readReportInput([join(base, "nowhere")])).toThrow(/nowhere does not exist/);
    writeFileSync(join(folder, "run.json"), JSON.stringify(sampleDescription()));
    writeFileSync(join(folder, "finding.json"), JSON.stringify(sampleFinding("probes")));
    const read = readReportInput([folder, folder]);
    expect(read.runs).toEqual([{ folder, description: sampleDescription(), metrics: [] }]);
    expect(read.findings).toEqual([{ folder, finding: sampleFinding("probes") }]);
    writeFileSync(join(folder, "metrics.jsonl"), `${JSON.stringify(sampleMetrics(1, true)[0])}\n{"step"`);
    expect(() => readReportInput([folder])).toThrow(UsageError);
    expect(() => readReportInput([folder])).toThrow(/metrics.jsonl, line 2/);
  });

  it("two measurements of one kind are both shown", () => {
    const finding = sampleFinding("probes");
    const twice = reportPage(
      { runs: [], findings: [finding, finding].map((one) => ({ folder: base, finding: one })) },
      "t",
    );
    expect(twice).toContain("<h2>Probes: photos/val</h2>");
    expect(twice).toContain("<h2>Probes: photos/val (2)</h2>");
    expect(encoders).toHaveLength(3);
  });
});
