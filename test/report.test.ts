import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
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
  for (const heading of ["Is it more robust?", "See it", "All results", "Not measured", "Details", "Words"])
    expect(html).toContain(`<h2>${heading}</h2>`);
  const { kind, content } = readFinding(at("evaluation"));
  if (kind !== "evaluation") throw new Error(kind);
  const [before, after] = content.evaluations;
  const share = (value: number): string => `${(100 * value).toFixed(1)}\u00a0%`;
  // Trained at 2/255, the second attack.
  expect(html).toContain(`is right on <strong>${share(after!.attacks[1]!.accuracy)}</strong>`);
  expect(html).toContain(`On clean images it is right on ${share(after!.clean)} instead of ${share(before!.clean)}`);
  expect(html).toContain("8 images of synthetic:8:train");
  expect(html).toContain("PGD-2 (upper bound)");
  expect(html).toContain("paired, image by image");
  // The image, and two of each encoder: attacked, and the difference.
  expect(html.match(/src="data:image\/webp;base64,/g)).toHaveLength(5);
  // The largest change is epsilon, and drawn half the range from mid-grey.
  expect(html).toMatch(/Show differences, amplified 6[34](?: to 6\d)? times/);
  expect(html).toMatch(/LORE, rho 0\.1, K \d+/);

  // Any folder above finds both; what was typed differs from the defaults, and is shown.
  const above = await lore(["report", base, "--out", at("above.html")]);
  expect(above.code, above.stderr).toBe(0);
  expect(readFileSync(at("above.html"), "utf8")).toContain(`is right on <strong>${share(after!.attacks[1]!.accuracy)}`);
  expect(html).toContain("<code>--attack-steps</code>");
  expect(html).not.toContain("<code>--margin-exponent</code>");
});

test("what cannot be shown is left out with a warning", async () => {
  mkdirSync(at("damaged"));
  writeFileSync(at("damaged/finding.json"), "{");
  const { code, stderr } = await lore(["report", base, "--out", at("rest.html")]);
  expect(code).toBe(0);
  expect(stderr).toMatch(/^Warning: .*damaged\/finding\.json.*left out\.\n$/);
});

test("wrong use", async () => {
  await expectRefused(["report"], /missing required argument 'folder'/);
  await expectRefused(["report", at("nowhere"), "--out", at("x.html")], /nowhere does not exist/);
  mkdirSync(at("empty"));
  await expectRefused(
    ["report", at("empty"), "--out", at("x.html")],
    /neither a run of lore train .* nor a measurement .* is in there/,
  );
  await expectRefused(["report", at("damaged"), "--out", at("x.html")], /neither a run/);
});
