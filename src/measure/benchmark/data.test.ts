import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { buffer } from "node:stream/consumers";
import sharp from "sharp";
import { pack } from "tar-stream";
import { afterAll, expect, it, test } from "vitest";
import { UsageError } from "../../errors.ts";
import { commit, hubFixture } from "../../testing/hub-fixture.ts";
import { openSuiteData } from "./data.ts";
import type { SuiteData } from "./suite.ts";

const root = mkdtempSync(join(tmpdir(), "lore-suite-data-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const hub = hubFixture();

function suiteData(more: Partial<SuiteData>): SuiteData {
  const set = { name: "a", title: "A", averaged: true, data: "wds/vtab/two", split: "test" } as const;
  return { ...set, attacks: [], resolution: "encoder", ...more };
}

/** One image with this label. */
async function shard(label: number): Promise<Buffer> {
  const image = sharp({ create: { width: 4, height: 4, channels: 3, background: "red" } });
  const archive = pack();
  archive.entry({ name: "a.png" }, await image.png().toBuffer());
  archive.entry({ name: "a.cls" }, String(label));
  archive.finalize();
  return buffer(archive);
}

async function dataSet(label: number): Promise<Readonly<Record<string, Buffer | string>>> {
  return {
    "classnames.txt": "ship\ntruck\n",
    "test/0.tar": await shard(label),
    "test/nshards.txt": "1\n",
    "zeroshot_classification_templates.txt": "one {c}\n",
  };
}

async function lay(folder: string, label: number): Promise<void> {
  for (const [name, content] of Object.entries(await dataSet(label))) {
    mkdirSync(dirname(join(root, folder, name)), { recursive: true });
    writeFileSync(join(root, folder, name), content);
  }
}

test.each([
  ["wds/vtab/two", "wds/vtab/two"],
  ["wds/vtab/two", "wds_vtab-two"],
  ["wds/vtab/two", "clip-benchmark/wds_vtab-two"],
  ["owner/two@main", "owner/two"],
  ["owner/two", "two"],
])("%s is found in the data root as %s, and the hub is not asked", async (data, folder) => {
  const dataRoot = join(root, "root");
  await lay(join("root", folder), 1);
  const { items, classes, templates } = await openSuiteData(suiteData({ data }), { dataRoot });
  rmSync(dataRoot, { recursive: true });
  expect(items.map(({ label }) => label)).toEqual([1]);
  expect(classes?.map(({ name }) => name)).toEqual(["ship", "truck"]);
  expect(templates).toEqual(["one {}"]);
  expect(hub.server.requests).toEqual([]);
});

it("comes from the hub where the data root lacks it, under CLIP_benchmark's names", async () => {
  hub.server.serve({
    id: "datasets/clip-benchmark/wds_vtab-two",
    commit,
    files: await dataSet(0),
    lfs: ["test/0.tar"],
  });
  const seen: string[] = [];
  const source = await openSuiteData(suiteData({}), {
    dataRoot: root,
    onProgress: ({ file }) => seen.push(file),
  });
  expect(source.items.map(({ label }) => label)).toEqual([0]);
  expect(source.templates).toEqual(["one {}"]);
  expect(seen).toContain("test/0.tar");
});

it("takes class names of a list or a file in place of the data's own", async () => {
  await lay("named", 1);
  const data = join(root, "named");
  const named = await openSuiteData(suiteData({ data, classes: ["boat", "lorry"] }));
  expect(named.classes?.map(({ name }) => name)).toEqual(["boat", "lorry"]);
  const file = join(root, "names.json");
  writeFileSync(file, '["vessel", "van"]');
  const other = await openSuiteData(suiteData({ data, classes: { file } }));
  expect(other.classes?.map(({ name }) => name)).toEqual(["vessel", "van"]);
  await expect(openSuiteData(suiteData({ data, classes: ["boat"] }))).rejects.toThrow(
    /Set a: its list of classes holds 1 name for 2 classes/,
  );
});

it("says what cannot be had", async () => {
  const refusal = async (data: string): Promise<string> => {
    const failure = await openSuiteData(suiteData({ data })).catch((cause: unknown) => cause);
    expect(failure).toBeInstanceOf(UsageError);
    return (failure as UsageError).message;
  };
  expect(await refusal("wds/none")).toMatch(/Data set clip-benchmark\/wds_none: .*no such repository/);
  expect(await refusal("some/deep/folder")).toMatch(/No data at some\/deep\/folder/);
  expect(await refusal(join(root, "gone"))).toMatch(/No data at .*gone/);
});
