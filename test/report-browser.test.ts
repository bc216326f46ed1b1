import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { type Browser, chromium, type Page } from "playwright-core";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { report } from "../src/report/write.ts";
import type { Evaluations } from "../src/results/index.ts";
import { sampleDescription, sampleFinding, sampleKinds, sampleMetrics } from "../src/testing/sample-findings.ts";

const executablePath = "/usr/bin/chromium";
const present = existsSync(executablePath);

describe.skipIf(!present)(
  `the report in a browser${present ? "" : ` (skipped: ${executablePath} is not there)`}`,
  () => {
    const base = mkdtempSync(join(tmpdir(), "lore-report-browser-"));
    const file = join(base, "report.html");
    let browser: Browser;

    beforeAll(async () => {
      browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
      writeFileSync(file, await report([...(await findings(base)), ...runs(base)]));
    }, 30_000);
    afterAll(async () => {
      await browser.close();
      rmSync(base, { recursive: true, force: true });
    });

    /** The page, and everything it asked for or complained of. */
    async function opened(width: number, colorScheme: "light" | "dark") {
      const page = await browser.newPage({ viewport: { width, height: 800 }, colorScheme });
      const [requests, complaints]: [string[], string[]] = [[], []];
      page.on("request", (request) => requests.push(request.url()));
      page.on("console", (message) => complaints.push(message.text()));
      page.on("pageerror", (error) => complaints.push(error.message));
      await page.goto(pathToFileURL(file).href);
      return { page, requests, complaints };
    }

    test("fetches nothing, complains of nothing, and fits a phone and a desk", async () => {
      for (const width of [320, 390, 1280]) {
        const { page, requests, complaints } = await opened(width, "light");
        await unfold(page);
        expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(width);
        // The pictures lie in the page itself.
        expect(requests.filter((url) => !url.startsWith("data:"))).toEqual([pathToFileURL(file).href]);
        expect(complaints).toEqual([]);
        expect(await page.evaluate("[...document.images].every((image) => image.naturalWidth > 0)")).toBe(true);
        await page.close();
      }
    });

    test("each chart has a name and, beside it or in its section, a table", async () => {
      const { page } = await opened(1280, "light");
      const charts = (await page.evaluate(
        `[...document.querySelectorAll('svg[role="img"]')].map((chart) => ({
        name: chart.getAttribute("aria-label"),
        table: Boolean((chart.closest("figure").querySelector("table") ?? chart.closest("section").querySelector("table"))),
        texts: [...chart.querySelectorAll("text")].length,
      }))`,
      )) as readonly { readonly name: string; readonly table: boolean; readonly texts: number }[];
      expect(charts.length).toBeGreaterThan(6);
      for (const { name, table, texts } of charts) {
        expect(name).toMatch(/\w.*\d/);
        expect(table, name).toBe(true);
        expect(texts, name).toBeGreaterThan(3);
      }
      await page.close();
    });

    test("a phone shows the verdict first, the chart next, and a shadow where a table goes on", async () => {
      const { page } = await opened(390, "light");
      const headings = (await page.evaluate(
        "[...document.querySelectorAll('h2')].map((one) => one.textContent)",
      )) as string[];
      expect(headings.slice(0, 3)).toEqual([
        "Is it more robust?",
        "Accuracy over the size of the perturbation",
        "See it",
      ]);
      // Badge and answer are on the first screen.
      expect(await page.evaluate("document.querySelector('.answer').getBoundingClientRect().bottom")).toBeLessThan(800);
      const wide = (await page.evaluate(
        "[...document.querySelectorAll('.wide')].filter((one) => one.scrollWidth > one.clientWidth && one.checkVisibility()).map((one) => getComputedStyle(one).backgroundImage)",
      )) as string[];
      expect(wide.length).toBeGreaterThan(0);
      for (const background of wide) expect(background.match(/linear-gradient/g)).toHaveLength(4);
      await page.close();
    });

    test("differences show by a toggle, without a script, and by keyboard", async () => {
      const { page } = await opened(1280, "light");
      const visible = () => page.evaluate("document.querySelector('.difference').checkVisibility()");
      expect(await visible()).toBe(false);
      await page.focus(".toggle");
      await page.keyboard.press("Space");
      expect(await visible()).toBe(true);
      await page.close();
    });

    // Dark differs in colours only.
    test.each([
      ["light", ""],
      ["dark", "{ runOnly: ['color-contrast'] }"],
    ] as const)("axe finds no serious violation, %s", async (scheme, options) => {
      const { page } = await opened(375, scheme);
      await unfold(page);
      await page.evaluate(readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8"));
      const violations = (await page.evaluate(
        `axe.run(${options}).then(({ violations }) => violations.map(({ id, impact, nodes }) => [id, impact, nodes[0].html.slice(0, 200)]))`,
      )) as readonly (readonly [string, string, string])[];
      expect(violations.filter(([, impact]) => impact === "serious" || impact === "critical")).toEqual([]);
      await page.close();
    });

    test("prints, light whatever the screen is", async () => {
      const { page } = await opened(1280, "dark");
      const ground = () => page.evaluate("getComputedStyle(document.body).backgroundColor");
      expect(await ground()).toBe("rgb(20, 24, 27)");
      const pdf = await page.pdf({ format: "A4" });
      expect(pdf.subarray(0, 5).toString()).toBe("%PDF-");
      expect(pdf.length).toBeGreaterThan(50_000);
      await page.emulateMedia({ media: "print" });
      expect(await ground()).toBe("rgb(255, 255, 255)");
      // All that is folded on screen is on paper: tables, commands, pictures of differences.
      await page.setViewportSize({ width: 690, height: 900 });
      expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(690);
      const heights = (await page.evaluate(
        "[...document.querySelectorAll('details table, details pre, .difference img')].map((one) => one.getBoundingClientRect().height)",
      )) as readonly number[];
      expect(heights.length).toBeGreaterThan(10);
      expect(Math.min(...heights)).toBeGreaterThan(0);
      await page.close();
    });
  },
);

function unfold(page: Page): Promise<unknown> {
  return page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })");
}

async function findings(base: string): Promise<readonly string[]> {
  const png = await sharp({ create: { width: 408, height: 140, channels: 3, background: "#888" } })
    .png()
    .toBuffer();
  return sampleKinds.map((kind) => {
    const folder = join(base, kind);
    mkdirSync(folder);
    writeFileSync(join(folder, "a.png"), png);
    const finding = sampleFinding(kind);
    const content = finding.kind === "evaluation" ? withPicture(finding.content) : finding.content;
    writeFileSync(join(folder, "finding.json"), JSON.stringify({ ...finding, content }));
    return folder;
  });
}

function withPicture(content: Evaluations): Evaluations {
  const { encoder } = content.evaluations[0]!;
  const example = {
    ...{
      encoder,
      image: "cat/1.png",
      attack: "pgd 2/255",
      label: "cat",
      predictedClean: "cat",
      predictedPerturbed: "dog",
    },
    picture: { file: "a.png", description: "cat, before and after" },
  };
  return { ...content, examples: [example] };
}

function runs(base: string): readonly string[] {
  return [undefined, 0.1].map((rho) => {
    const folder = join(base, `run-${rho ?? "fare"}`);
    mkdirSync(folder);
    writeFileSync(join(folder, "run.json"), JSON.stringify(sampleDescription(rho)));
    const lines = sampleMetrics(60, rho !== undefined).map((line) => `${JSON.stringify(line)}\n`);
    writeFileSync(join(folder, "metrics.jsonl"), lines.join(""));
    return folder;
  });
}
