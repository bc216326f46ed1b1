import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { UsageError } from "../errors.ts";
import type { Contents } from "../results/index.ts";
import { encoders, sampleDescription, sampleFinding, sampleKinds, sampleMetrics } from "../testing/sample-findings.ts";
import { shortNumber } from "./charts/training.ts";
import { encodersIn } from "./encoders.ts";
import { type ReportInput, readReportInput, type StoredFinding, type TrainingRun } from "./input.ts";
import { reportPage } from "./report.ts";

const [original] = encoders;
const recognition: TrainingRun["recognition"] = [
  { when: "before", step: 0, images: 64, clean: 1, attacked: 0.03125, byImage: { clean: "", attacked: "" } },
  { when: "after", step: 9, images: 64, clean: 1, attacked: 0.1875, byImage: { clean: "", attacked: "" } },
];

const run = (folder: string, steps: number, rho?: number, encoder: string = original) => ({
  ...{
    folder,
    description: { ...sampleDescription(rho), flags: { encoder, seed: 0, epochs: rho === undefined ? 1 : 3 } },
  },
  metrics: sampleMetrics(steps, rho !== undefined),
  recognition,
});
const nothing: ReportInput = { runs: [], findings: [], fronts: [], measuredRuns: [], origins: new Map() };
const input: ReportInput = {
  ...nothing,
  runs: [run("runs/fare", 1000), run("./runs/lore/", 1000, 0.1)],
  findings: sampleKinds.map((kind) => ({ folder: `results/${kind}`, finding: sampleFinding(kind) })),
};
const page = await reportPage(input, { title: "A <title>", defaults: { seed: 0, epochs: 1 } });

/** The text that a reader sees, a line a paragraph, row, heading or item; cells apart by tabs. */
function textOf(html: string): readonly string[] {
  return html
    .replace(/<style>.*?<\/style>/s, "")
    .replaceAll(/<svg.*?<\/svg>/gs, "")
    .replaceAll(/<\/t[hd]>/g, "\t")
    .replaceAll(/<\/(?:tr|p|h\d|li|div|dd|pre|summary|figcaption|article)>/g, "\n")
    .replaceAll(/<[^>]*>/g, "")
    .replaceAll("\u00a0", " ")
    .split("\n")
    .map((line) => line.replaceAll(/ +/g, " ").trim())
    .filter(Boolean);
}

/** The section below a heading. */
function below(heading: string, html = page): readonly string[] {
  const [, section = ""] = html.split(`<h2>${heading}</h2>`);
  return textOf(section.split("</section>")[0]!);
}

const name = "clip &lt;original&gt; &amp; co";

function evaluation(content: Partial<Contents["evaluation"]>, folder = "out"): StoredFinding {
  const finding = sampleFinding("evaluation");
  if (finding.kind !== "evaluation") throw new Error(finding.kind);
  return { folder, finding: { ...finding, content: { ...finding.content, ...content } } };
}

/** Evaluations of the original and a run on so many images of ten classes. */
function compared(images: number, [clean, robust]: readonly [number, number], paired?: object): ReportInput {
  const { content } = sampleFinding("evaluation") as { readonly content: Contents["evaluation"] };
  const [first] = content.evaluations;
  const attack = { ...first!.attacks[1]!, accuracy: 0.1 };
  const evaluations = [
    { ...first!, images, clean: 0.8, attacks: [attack] },
    {
      ...{ ...first!, encoder: "runs/lore", images, clean },
      attacks: [{ ...attack, accuracy: robust }],
      ...(paired && { paired }),
    },
  ] as Contents["evaluation"]["evaluations"];
  return { ...nothing, runs: [run("runs/lore", 3, 0.1)], findings: [evaluation({ evaluations })] };
}

const verdict = async (of: ReportInput) => below("Is it more robust?", await reportPage(of, { title: "t" })).join("\n");

describe("the verdict", () => {
  it("says how robust, at what cost, how sure, and on what", () => {
    const text = below("Is it more robust?").join("\n");
    // 67.1 against 11.4 % of 500 images; Newcombe's interval of the difference by hand.
    expect(text).toContain(
      `more robust When each pixel may move by ±2/255, lore is right on 67.1 % of the images and its original, ${name}, on 11.4 %: +55.7 [+50.5, +60.4] points.`,
    );
    expect(text).toContain("On clean images it is right on 87.1 % instead of 91.4 %: −4.3 [−8.2, −0.5].");
    expect(text).toContain("500 images of &quot;val&quot;, 10 classes; PGD-20 (upper bound).");
    expect(text).toContain("unpaired (Newcombe)");
    expect(text).toContain("fare FARE, K 1");
  });

  it("uses pairs where they were measured, and says so", async () => {
    const pair = { difference: 0.2, gained: 25, lost: 5, p: 0.0003 };
    const text = await verdict(compared(100, [0.8, 0.3], { with: original, clean: pair, attacks: [pair] }));
    // (26 - 6) / 102 +- 1.96 sqrt((32 / 102 - (20 / 102)^2) / 102)
    expect(text).toContain("+20.0 [+9.4, +29.8] points");
    expect(text).toMatch(/paired, image by image \(McNemar's p &lt; 0.001 under attack\)/);
  });

  it("turns a pair around where the original was measured beside the run", async () => {
    const pair = { difference: -0.2, gained: 5, lost: 25, p: 0.0003 };
    const { findings, ...rest } = compared(100, [0.8, 0.3]);
    const { content } = findings[0]!.finding as { readonly content: Contents["evaluation"] };
    const [before, after] = content.evaluations;
    const paired = { with: "runs/lore", clean: pair, attacks: [pair] };
    const turned = await verdict({
      ...rest,
      findings: [evaluation({ evaluations: [after!, { ...before!, paired }] })],
    });
    expect(turned).toContain("+20.0 [+9.4, +29.8] points");
  });

  it("of a benchmark alone is about its largest data set", async () => {
    const found = sampleFinding("benchmark");
    const text = await verdict({ ...input, findings: [{ folder: "", finding: found }] });
    expect(text).toMatch(/more robust When .*lore is right on 60.0 % of the images/);
    expect(text).toContain("1000 images of ImageNet, 10 classes; PGD (upper bound)");
  });

  it("of clean accuracy alone: not measured", async () => {
    const { content } = sampleFinding("evaluation") as { readonly content: Contents["evaluation"] };
    const evaluations = content.evaluations.map((one) => ({ ...one, attacks: [] }));
    const html = await reportPage({ ...input, findings: [evaluation({ evaluations })] }, { title: "t" });
    expect(below("Is it more robust?", html).join("\n")).toContain("not measured");
    expect(below("All results", html)).toContain("fare\t-\t80.2 % [76-83]\t±2/255\tFARE, K 1");
  });

  it.each([
    ["more robust", 200, 0.75, 0.3],
    ["not distinguishable", 200, 0.75, 0.13],
    ["not distinguishable", 20, 0.75, 0.25],
    ["less robust", 200, 0.75, 0.02],
    // At the level of guessing among ten classes; and with a sixth of what exceeds it left.
    ["collapsed", 200, 0.1, 0.4],
    ["collapsed", 1000, 0.22, 0.2],
  ] as const)("%s: %d images, clean %d, attacked %d against 0.8 and 0.1", async (badge, images, clean, robust) => {
    expect(await verdict(compared(images, [clean, robust]))).toMatch(new RegExp(`\\n${badge} `));
  });

  it("of a run alone: not measured, and the commands that fill it", async () => {
    const alone = await reportPage({ ...nothing, runs: [run("runs/lore", 3, 0.1)] }, { title: "t" });
    const text = below("Is it more robust?", alone).join("\n");
    expect(text).toContain("not measured No encoder trained from it was measured beside it.");
    expect(text).toContain(
      "lore evaluate --encoder 'assets/clip &lt;original&gt; &amp; co' runs/lore --data DATA --attack autoattack --epsilon 2/255 --out out/accuracy",
    );
    expect(below("Not measured", alone).join("\n")).toContain(
      "lore fidelity --original 'assets/clip &lt;original&gt; &amp; co' --encoder runs/lore --data DATA",
    );
    for (const heading of ["See it", "What robustness costs", "Will my index survive?", "Noise, blur and weather"])
      expect(alone).not.toContain(`<h2>${heading}</h2>`);
  });

  it("puts bases that were measured before those that were not", async () => {
    const alone = run("runs/alone", 3, 0.1, "assets/aaa");
    const html = await reportPage({ ...input, runs: [alone, ...input.runs] }, { title: "t" });
    const cards = [...html.matchAll(/<article class="card">\n<h3>([^<]*)/g)].map(([, card]) => card);
    expect(cards).toEqual([name, "aaa"]);
  });

  it("compares with the original alone, and puts no two bases in one chart", async () => {
    const other = { ...run("runs/other", 3, 0.1, "assets/another"), metrics: [] };
    const { content } = sampleFinding("evaluation") as { readonly content: Contents["evaluation"] };
    const evaluations = [
      ...content.evaluations,
      ...["assets/another", "runs/other"].map((encoder) => ({ ...content.evaluations[1]!, encoder })),
    ];
    const two = await reportPage(
      { ...nothing, runs: [...input.runs, other], findings: [evaluation({ evaluations })] },
      { title: "t" },
    );
    const charts = [...two.matchAll(/<h3>[^<]*: under PGD-20.*?<thead>(.*?)<\/thead>/gs)].map(([, head = ""]) =>
      textOf(head).join("").split("\t").filter(Boolean),
    );
    expect(charts).toEqual([
      ["epsilon", name, "fare", "lore"],
      ["epsilon", "another", "other"],
    ]);
    expect(below("Is it more robust?", two).join("\n")).toMatch(/another\nnot distinguishable/);
  });
});

describe("numbers in the page are those of the findings", () => {
  it("accuracy with intervals, sorted by what the attack left", () => {
    const rows = below("All results");
    const at = (start: string): number => rows.findIndex((row) => row.startsWith(start));
    expect(rows[at("lore\t")]).toBe("lore\t67.1 % [63-71]\t87.1 % [84-90]\t±2/255\tLORE, rho 0.1, K 5");
    expect(at("lore\t")).toBeLessThan(at("fare\t"));
    expect(at("fare\t")).toBeLessThan(at(`${name}\t`));
    expect(below("Accuracy over the size of the perturbation")).toContain(
      "lore\t87.1 % [84-90]\t77.1 % [73-81]\t67.1 % [63-71]\t47.1 % [43-51]",
    );
  });

  it("corruptions: means, differences, the mean corruption error", () => {
    const rows = below("Noise, blur and weather");
    // 0.914 - 0.01 (1 + 2 + 3 + 4 + 5) / 5
    expect(rows).toContain("shot_noise\t88.4 %\t76.2 %\t82.1 %");
    expect(rows).toContain("mean corruption error\t100.0 %\t107.3 %\t114.6 %");
    // 0.914 - 0.03 x 49 / 15 and 0.871 - 0.02 less the same.
    expect(rows).toContain("lore\t87.1 %\t75.3 %\t−6.3\t114.6 %");
  });

  it("fidelity, probes, interpretability", () => {
    const fidelity = below("Will my index survive?");
    expect(fidelity).toContain(
      "fare\t41.2 %\tembed again\t30.0 %\t0.845 [0.42, 1.27]\t0.775 [0.39, 1.16]\t60.0 %\t30.0 %",
    );
    expect(fidelity).toContain("lore, attacked\t8.4 [4.2, 12.6]\t0.21 [0.105, 0.315]\t-");
    expect(fidelity).toContain("0.75 to 1\t0.0 %\t8.3 %\t24.3 %");
    const details = below("Details");
    expect(details).toContain(`${name}\t93.4 %\t99.0 %\t0.001\t80.0 %\t85.0 %`);
    expect(details).toContain(
      "fare\t0.251 [0.126, 0.377]\t0.57 [0.285, 0.855]\t1.5/255 [0.75/255, 2.25/255]\t95.0 % (to 8/255)",
    );
  });

  it("benchmark: published rows are set apart, what is missing is said", () => {
    expect(below("All results")).toContain("FARE-2 (published [1])\t-\t44.4\t44.4 (1 of 2)");
    expect(page).toMatch(/<tr class="apart"><th scope="row">FARE-2/);
    expect(page).toContain("stl10: not on this machine");
  });

  it("training: where runs ended, lambda over batches, no learning rate", () => {
    const rows = below("Details");
    const { lambdaMean } = sampleMetrics(1000, true).at(-1)!;
    expect(rows.some((row) => row.startsWith("fare\tFARE, K 1\t3 → 19 % of 64\t1000\t32000\t-\t"))).toBe(true);
    expect(
      rows.some((row) =>
        row.startsWith(`lore\tLORE, rho 0.1, K 5\t3 → 19 % of 64\t1000\t32000\t${shortNumber(lambdaMean!)}\t`),
      ),
    ).toBe(true);
    const mean = sampleMetrics(1000, true).slice(500 - 33, 500);
    const lambda = mean.reduce((sum, one) => sum + one.lambdaMean!, 0) / 33;
    expect(rows).toContain(`500\t${shortNumber(lambda)}`);
    expect(page).not.toMatch(/learning rate/i);
  });

  it("settings are what differs from the defaults", () => {
    const rows = below("Details");
    expect(rows).toContain("--epochs\tdefault\t3");
    expect(rows.some((row) => row.startsWith("--seed"))).toBe(false);
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

it("numbers of one label are one statistic: where medians and means differ, each is the median", async () => {
  const finding = sampleFinding("interpretability");
  if (finding.kind !== "interpretability") throw new Error(finding.kind);
  const [first] = finding.content.encoders;
  const alignment = { ...first!.alignment!, mean: 0.9, median: 0.4 };
  const content = { ...finding.content, encoders: [{ ...first!, alignment }] };
  const html = await reportPage(
    { ...nothing, findings: [{ folder: "", finding: { ...finding, content } }] },
    { title: "t" },
  );
  expect(below("Details", html).join("\n")).toContain("median cosine with own class's texts");
  expect(html).toContain("0.4 [");
  expect(html).not.toContain("0.9 [");
});

it("blends lie on the trade-off of their original", async () => {
  const { content } = sampleFinding("evaluation") as { readonly content: Contents["evaluation"] };
  const points = [0, 0.5, 1].map((weight) => ({
    ...{ weight, kept: 1 },
    evaluation: { ...content.evaluations[0]!, images: 77, clean: 0.9 - 0.1 * weight },
  }));
  const fronts = [{ folder: "out/blend", front: { original, robust: "runs/lore", chosen: { weight: 0.5 }, points } }];
  const html = await reportPage({ ...input, fronts }, { title: "t" });
  const text = below("What robustness costs", html);
  // 0.85 and 0.114 of 77 images.
  expect(text).toContain("lore, weight 0.5\t85.0 % [75-91]\t11.4 % [6-20]");
  expect(text.join("\n")).toContain("Blends of lore were measured on 77 images.");
});

it("does not draw distances of different kinds on one axis", async () => {
  const classes = {
    flags: { encoder: original },
    objective: { constraint: { divergence: "classes", margin: { rho: 1 } } },
  };
  const mixed = [run("a", 9, 0.1), { ...run("b", 9, 0.1), description: classes }, run("c", 9)];
  const html = await reportPage({ ...nothing, runs: mixed }, { title: "t" });
  const columns = [...html.matchAll(/<h4>Clean distance[^<]*<\/h4>.*?<thead>(.*?)<\/thead>/gs)].map(([, head = ""]) =>
    textOf(head).join("").split("\t").filter(Boolean),
  );
  expect(columns).toEqual([
    ["batch", "a", "a, limit", "c"],
    ["batch", "b", "b, limit"],
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

it("says of every chart what it is over", () => {
  const figures = [...page.matchAll(/<figure[^>]*>.*?<\/figure>/gs)].map(([figure]) => figure);
  expect(figures.length).toBeGreaterThan(6);
  for (const figure of figures) {
    expect(figure).toMatch(/<svg role="img" aria-label="[^"]{20,}"/);
    expect(figure).toMatch(/<figcaption>.*\d+ (training )?images/);
  }
});

describe("encoders", () => {
  const known = (names: readonly string[], more: Partial<ReportInput> = {}) => {
    const content = { ...{ train: "", test: "", trainImages: 1, testImages: 1, classes: 1 } };
    const all = names.map((encoder) => ({
      encoder,
      ...{ linear: { accuracy: 1, trainAccuracy: 1, regularization: 1, converged: true }, neighbours: [] },
    }));
    const finding = { ...sampleFinding("probes"), kind: "probes" as const, content: { ...content, encoders: all } };
    return encodersIn({ ...nothing, findings: [{ folder: "", finding }], ...more });
  };

  it("are called by as little as tells them apart, and known by the run that made them", () => {
    const names = ["a/x/encoder", "b/x/encoder", "./runs/y/encoder", "z/model.safetensors"];
    const found = known(names, { runs: [run("runs/y", 3, 0.2, "a/x")] });
    expect(names.map((one) => found.of(one).short)).toEqual(["a/x", "b/x", "y", "z"]);
    expect(found.of("runs/y")).toBe(found.of("./runs/y/encoder"));
    expect(found.of("runs/y").method).toBe("LORE, rho 0.2, K 5");
    expect(found.bases.map(({ original, trained }) => [original.short, trained.map(({ short }) => short)])).toEqual([
      ["a/x", ["y"]],
      ["b/x", []],
      ["z", []],
    ]);
  });

  it("belong to the original that their run began with, through other runs, and by names typed in another folder", () => {
    const found = known(["models/nowhere", "runs/second"], {
      runs: [
        run("/data/runs/first", 3, 0.1, "/data/models/nowhere"),
        run("/data/runs/second", 3, 0.1, "/data/runs/first"),
      ],
    });
    expect(found.bases).toHaveLength(1);
    expect(found.bases[0]!.trained.map(({ short }) => short)).toEqual(["second", "first"]);
  });

  it("are known by runs that were measured and not given", () => {
    const found = known([original, "runs/y"], { measuredRuns: [run("runs/y", 3, 0.2)] });
    expect(found.of("runs/y")).toMatchObject({ method: "LORE, rho 0.2, K 5", epsilon: 2 / 255 });
    expect(found.of("runs/y").run).toBeUndefined();
    expect(found.bases).toHaveLength(1);
  });

  it("of a base each have a colour, a dash and a symbol of their own", () => {
    const runs = Array.from({ length: 6 }, (_, i) => run(`runs/${i}`, 1, 0.1));
    const [base] = known([original], { runs }).bases;
    const styles = [base!.original, ...base!.trained].map(({ style }) => style);
    for (const part of ["colour", "symbol"] as const)
      expect(new Set(styles.map((style) => style[part])).size).toBe(styles.length);
    expect(new Set(styles.map(({ dash }) => dash.join())).size).toBe(styles.length);
  });
});

describe("folders", () => {
  const base = mkdtempSync(join(tmpdir(), "lore-report-"));
  afterAll(() => rmSync(base, { recursive: true, force: true }));
  const read = (folder: string) => {
    const warnings: string[] = [];
    return { ...readReportInput([folder], { onWarning: (text) => warnings.push(text) }), warnings };
  };

  it("are runs, measurements, both, or any above them; else it says what they lack", () => {
    const folder = join(base, "deep", "er", "both");
    mkdirSync(folder, { recursive: true });
    expect(() => readReportInput([folder])).toThrow(/neither a run of lore train .* nor a measurement/);
    expect(() => readReportInput([join(base, "nowhere")])).toThrow(/nowhere does not exist/);
    writeFileSync(join(folder, "run.json"), JSON.stringify(sampleDescription()));
    expect(() => readReportInput([join(folder, "run.json")])).toThrow(/is a file/);
    writeFileSync(join(folder, "finding.json"), JSON.stringify(sampleFinding("probes")));
    for (const given of [folder, join(base, "deep")]) {
      const { runs, findings, warnings } = read(given);
      expect(runs).toEqual([{ folder, description: sampleDescription(), metrics: [], recognition: [] }]);
      expect(findings).toEqual([{ folder, finding: sampleFinding("probes") }]);
      expect(warnings).toEqual([]);
    }
    expect(readReportInput([folder, base]).runs).toHaveLength(1);
  });

  it("that cannot be shown are left out with a warning that says why", () => {
    const at = (name: string, file: string, text: string): void => {
      mkdirSync(join(base, "some", name), { recursive: true });
      writeFileSync(join(base, "some", name, file), text);
    };
    at("good", "finding.json", JSON.stringify(sampleFinding("fidelity")));
    at("half", "finding.json", '{"kind": "fid');
    at("strange", "finding.json", JSON.stringify({ kind: "weather", content: {} }));
    at("hollow", "finding.json", JSON.stringify({ kind: "evaluation", content: { evaluations: [] } }));
    at("run", "run.json", JSON.stringify(sampleDescription(0.1)));
    at("run", "metrics.jsonl", `${JSON.stringify(sampleMetrics(1, true)[0])}\n{"step"`);
    at("broken-run", "run.json", "[");
    const example = { picture: { file: "gone.png", description: "" } };
    const { content } = sampleFinding("evaluation");
    at(
      "no-picture",
      "finding.json",
      JSON.stringify({ ...sampleFinding("evaluation"), content: { ...content, examples: [example] } }),
    );
    const { runs, findings, warnings } = read(join(base, "some"));
    expect(findings.map(({ folder }) => folder.split("/").at(-1))).toEqual(["good", "no-picture"]);
    expect(runs.map(({ metrics }) => metrics.length)).toEqual([1]);
    for (const text of [
      /half\/finding.json.*left out/s,
      /strange\/finding.json is no measurement of a kind/,
      /hollow\/finding.json is damaged: its content has no list of settings/,
      /run\/metrics.jsonl, line 2, is no JSON/,
      /broken-run\/run.json/,
      /no-picture: 1 picture of the measurement cannot be found/,
    ])
      expect(
        warnings.some((warning) => text.test(warning)),
        String(text),
      ).toBe(true);
    expect(warnings).toHaveLength(6);
  });

  it("with nothing that can be read are refused", () => {
    const folder = join(base, "damaged");
    mkdirSync(folder);
    writeFileSync(join(folder, "finding.json"), "{");
    expect(() => readReportInput([folder])).toThrow(UsageError);
  });
});
