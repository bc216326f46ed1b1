import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { pack } from "tar-stream";
import { afterAll, describe, expect, it } from "vitest";
import { UsageError } from "../errors.ts";
import { openSource } from "./open.ts";
import { synthetic } from "./synthetic.ts";

const root = mkdtempSync(join(tmpdir(), "lore-open-"));
afterAll(() => rmSync(root, { recursive: true }));

describe("openSource", () => {
  it("generates images", async () => {
    expect(await openSource("synthetic")).toEqual(synthetic());
    expect(await openSource("synthetic:7", { seed: 3 })).toEqual(synthetic({ count: 7, seed: 3 }));
    const pairs = synthetic({ count: 7, split: "test", label: "colour-shape" });
    expect(await openSource("synthetic:7:test:colour-shape")).toEqual(pairs);
    expect(await openSource("synthetic:7:heldout")).toEqual(synthetic({ count: 7, split: "heldout" }));
  });

  it.each(["synthetic:", "synthetic:0", "synthetic:ten", "synthetic:10:val", "synthetic:10:test:1", "synthetic:-1"])(
    "refuses %s and says what to write",
    async (spec) => {
      await expect(openSource(spec)).rejects.toThrow(UsageError);
      await expect(openSource(spec)).rejects.toThrow(/synthetic:COUNT:SPLIT/);
    },
  );

  it("opens a folder, with the class file given", async () => {
    const classesFile = join(root, "names.json");
    mkdirSync(join(root, "data/c1"), { recursive: true });
    writeFileSync(join(root, "data/c1/a.jpg"), "");
    writeFileSync(classesFile, '[{ "folder": "c1", "name": "newt", "index": 25 }]');
    const source = await openSource(join(root, "data"), { classesFile });
    expect(source.classes).toEqual([{ folder: "c1", name: "newt", headIndex: 25 }]);
  });

  it("gives the classes of a WebDataset the names of the file given", async () => {
    const archive = pack();
    for (const [name, content] of Object.entries({ "a.jpg": "x", "a.cls": "1", "b.jpg": "x", "b.cls": "0" })) {
      archive.entry({ name }, content);
    }
    archive.finalize();
    const tar = join(root, "0.tar");
    writeFileSync(tar, await buffer(archive));
    const classesFile = join(root, "list.json");
    writeFileSync(classesFile, '["newt", "owl"]');
    const source = await openSource(tar, { classesFile });
    expect(source.classes!.map(({ name }) => name)).toEqual(["newt", "owl"]);
    writeFileSync(classesFile, '{ "1": "owl", "2": "orca" }');
    expect((await openSource(tar, { classesFile })).classes!.map(({ name }) => name)).toEqual(["0", "owl"]);
    writeFileSync(classesFile, '["newt"]');
    await expect(openSource(tar, { classesFile })).rejects.toThrow(/holds 1 name for 2 classes/);
  });

  it("says what data may be when there is nothing at the path", async () => {
    await expect(openSource(join(root, "nothing"))).rejects.toThrow(UsageError);
    await expect(openSource(join(root, "nothing"))).rejects.toThrow(
      /nothing.*sub-folder.*plain folder.*WebDataset.*Parquet.*synthetic/s,
    );
  });
});
