import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { readFinding } from "../src/results/index.ts";
import { expectRefused, lore } from "./in-process.ts";

const base = mkdtempSync(join(tmpdir(), "lore-report-"));
const at = (name: string): string => join(base, name);
const shapes = join(import.meta.dirname, "../assets/clip-shapes");

beforeAll(() => {
  vi.stubEnv("XDG_CACHE_HOME", at("cache"));
});
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(base, { recursive: true, force: true });
});

test("a run and an evaluation of it become one page, with the numbers that were measured", async () => {
  const compute = ["--threads", "1"];
  const trained = await lore([
    ...[
      "train",
      "--encoder",
      shapes,
      "--data",
      "synthetic:4",
      "--method",
      "lore",
      "--epsilon",
      "2/255",
      "--rho",
      "0.1",
    ],
    ...["--batch", "4", "--attack-steps", "1", "--epochs", "1", "--out", at("run"), ...compute],
  ]);
  expect(trained.code, trained.stderr).toBe(0);
  const evaluated = await lore([
    ...["evaluate", "--encoder", shapes, at("run"), "--data", "synthetic:8", "--attack", "pgd", "--steps", "2"],
    ...["--epsilon", "1/255,2/255", "--examples", "1", "--out", at("evaluation"), ...compute],
  ]);
  expect(evaluated.code, evaluated.stderr).toBe(0);

  const page = at("page.html");
  const { code, stdout, stderr } = await lore([
    "report",
    at("run"),
    at("evaluation"),
    "--out",
    page,
    "--title",
    "Shapes",
  ]);
  expect(code, stderr).toBe(0);
  expect(stdout).toMatch(/page\.html: \d+ kB, open it in any browser\.\n$/);

  const html = readFileSync(page, "utf8");
  expect(html).toContain("<h1>Shapes</h1>");
  for (const heading of ["Summary", "Accuracy: synthetic:8:train", "Training", "How this was measured"])
    expect(html).toContain(`<h2>${heading}</h2>`);
  const { kind, content } = readFinding(at("evaluation"));
  if (kind !== "evaluation") throw new Error(kind);
  for (const { encoder, clean, attacks } of content.evaluations) {
    const name = encoder === shapes ? "clip-shapes" : "run";
    const cells = [clean, ...attacks.map(({ accuracy }) => accuracy)].map(
      (share) => `<td>${(100 * share).toFixed(1)} %</td>`,
    );
    expect(html).toContain(`<th scope="row">${name}</th>${cells.join("")}`);
  }
  // One picture of each encoder, in the page.
  expect(html.match(/src="data:image\/png;base64,/g)).toHaveLength(2);
  expect(html).toMatch(/run \(rho 0\.1, K \d+\)/);
});

test("wrong use", async () => {
  await expectRefused(["report"], /missing required argument 'folder'/);
  await expectRefused(["report", at("nowhere"), "--out", at("x.html")], /nowhere does not exist/);
  await expectRefused(
    ["report", base, "--out", at("x.html")],
    /neither a run of lore train .* nor holds a measurement/,
  );
  writeFileSync(at("finding.json"), "{");
  await expectRefused(["report", base, "--out", at("x.html")], /finding\.json/);
});
