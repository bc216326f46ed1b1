import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { openBatches, synthetic } from "../src/data.ts";
import * as root from "../src/index.ts";
import { imagePng } from "../src/report/index.ts";

const repository = join(import.meta.dirname, "..");
const verbs = Object.entries(root).flatMap(([name, value]) =>
  typeof value === "function" && !(value.prototype instanceof Error) ? [name] : [],
);

interface Example {
  /** The function, or the page and the line. */
  readonly name: string;
  readonly code: string;
}

// What `finetune` leaves behind is what `blend` and `report` read.
const examples = [...docstrings(), ...pages()].sort((a, b) => rank(a) - rank(b));

/** In the repository, so that imports of its packages resolve; git, the formatter and the tests do not look there. */
let folder: string;
const before = process.cwd();

beforeAll(async () => {
  mkdirSync(join(repository, "runs"), { recursive: true });
  folder = mkdtempSync(join(repository, "runs", "examples-"));
  const files = examples.map(({ name, code }) => [moduleOf(name), withSources(code)] as const);
  for (const [file, code] of files) writeFileSync(join(folder, file), `${code}\nexport {};\n`);
  writeFileSync(
    join(folder, "tsconfig.json"),
    JSON.stringify({
      extends: relative(folder, join(repository, "tsconfig.json")),
      // An example names what it gets, whether it goes on with it or not.
      compilerOptions: { noUnusedLocals: false },
      include: files.map(([file]) => file),
    }),
  );
  await stage(join(folder, "stage"));
  process.chdir(join(folder, "stage"));
  vi.spyOn(console, "log").mockImplementation(() => {});
  vi.stubEnv("XDG_CACHE_HOME", join(folder, "cache"));
});

afterAll(() => {
  vi.unstubAllEnvs();
  process.chdir(before);
  rmSync(folder, { recursive: true, force: true });
});

test("every verb of the root has an example", () => {
  const shown = new Set(examples.map(({ name }) => name));
  expect(verbs.filter((name) => !shown.has(name))).toEqual([]);
  expect(verbs.length).toBeGreaterThan(12);
});

test("examples compile", () => {
  const tsc = join(repository, "node_modules", "@typescript", "native", "bin", "tsc");
  const compile = (): Buffer => execFileSync(process.execPath, [tsc, "-p", folder], { stdio: "pipe" });
  expect(compile).not.toThrow();
});

test.each(examples)("the example of $name runs", async ({ name }) => {
  await import(pathToFileURL(join(folder, moduleOf(name))).href);
});

function rank({ name }: Example): number {
  return name === "finetune" ? 0 : 1;
}

function moduleOf(name: string): string {
  return `${name.replace(/\W/g, "-")}.ts`;
}

/** The package's doors as they are in `src/`. */
function withSources(code: string): string {
  return code.replace(/"lore-vision(?:\/(\w+))?"/g, (_, door = "index") => `"../../src/${door}.ts"`);
}

/** `@example` blocks of exported functions. */
function docstrings(): readonly Example[] {
  const sources = readdirSync(join(repository, "src"), { recursive: true, encoding: "utf8" });
  return sources
    .filter((path) => path.endsWith(".ts") && !path.endsWith(".test.ts"))
    .flatMap((path) => {
      const text = readFileSync(join(repository, "src", path), "utf8");
      const blocks = text.matchAll(
        /@example\n \* ```ts\n((?: \*.*\n)+?) \* ```\n \*\/\nexport (?:async )?function (\w+)/g,
      );
      return [...blocks].map(([, lines, name]) => ({ name: name!, code: lines!.replaceAll(/^ \* ?/gm, "") }));
    });
}

/** Blocks of TypeScript in the pages; those of JavaScript are for other packages, or files that only readers have. */
function pages(): readonly Example[] {
  const docs = readdirSync(join(repository, "docs")).filter((file) => file.endsWith(".md"));
  return ["README.md", ...docs.map((file) => join("docs", file))].flatMap((path) => {
    const text = readFileSync(join(repository, path), "utf8");
    return [...text.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(({ 1: code, index }) => ({
      name: `${path}:${text.slice(0, index).split("\n").length}`,
      code: code!,
    }));
  });
}

/** Generated images to be photographs; the first ones are the pets. */
const photos = [2, 6, 0, 1, 4, 7, 8];
/** Those that an attack breaks at its first step: where one withstands, AutoAttack goes on for a minute. */
const pets = 2;

/**
 * The folder that examples run in: photographs, pets in one folder a class, and a CLIP under the hub's name, where
 * `loadEncoder` looks first. All are small stand-ins.
 */
async function stage(folder: string): Promise<void> {
  const clip = join(folder, "openai", "clip-vit-base-patch32");
  mkdirSync(dirname(clip), { recursive: true });
  symlinkSync(join(repository, "assets", "clip-shapes"), clip);

  const size = 32;
  const shapes = synthetic({ count: 9, split: "test", seed: 3, label: "colour-shape" });
  const names = shapes.classes!.map(({ name }) => name);
  // Folders without images are classes where a file names them: among few classes, images withstand.
  for (const place of ["photos", ...names.map((name) => join("pets", name))])
    mkdirSync(join(folder, place), { recursive: true });
  writeFileSync(join(folder, "pets", "classes.json"), JSON.stringify(Object.fromEntries(names.map((n) => [n, n]))));

  for await (const { pixels, labels, count } of openBatches(shapes, { size, batch: photos.length, order: photos })) {
    for (let i = 0; i < count; i++) {
      const png = await imagePng(pixels.subarray(i * 3 * size ** 2, (i + 1) * 3 * size ** 2), size);
      writeFileSync(join(folder, "photos", `${i}.png`), png);
      if (i < pets) writeFileSync(join(folder, "pets", names[labels[i]!]!, `${i}.png`), png);
    }
  }
}
