import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { buffer } from "node:stream/consumers";
import { parquetWriteBuffer } from "hyparquet-writer";
import { pack } from "tar-stream";
import { afterAll, describe, expect, it } from "vitest";
import { describeWithData, sharedData } from "../../test/shared.ts";
import { UsageError } from "../errors.ts";
import { openSource } from "./open.ts";

const root = mkdtempSync(join(tmpdir(), "lore-labels-"));
afterAll(() => rmSync(root, { recursive: true }));

let count = 0;
function write(files: Readonly<Record<string, Uint8Array | string>>): string {
  const path = join(root, `${count++}`);
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(path, name)), { recursive: true });
    writeFileSync(join(path, name), content);
  }
  return path;
}

type Others = Readonly<Record<string, string>>;

/** A tar file with an image for each of these `.cls` or `.json` contents. */
async function tar(kind: "cls" | "json", contents: readonly string[], others: Others = {}): Promise<string> {
  const archive = pack();
  for (const [i, content] of contents.entries()) {
    archive.entry({ name: `s${i}.jpg` }, "x");
    archive.entry({ name: `s${i}.${kind}` }, content);
  }
  archive.finalize();
  return write({ "0.tar": await buffer(archive), ...others });
}

interface Column {
  readonly data: unknown[];
  readonly type: "INT32" | "INT64" | "DOUBLE" | "BOOLEAN" | "STRING";
}

/** A Parquet file of images and these columns, in the hub's layout. */
function parquetOf(columns: Readonly<Record<string, Column>>, features?: object, others: Others = {}): string {
  const all = Object.entries(columns);
  const rows = all[0]![1].data.length;
  const images = Array.from({ length: rows }, (_, i) => ({ bytes: Uint8Array.of(i), path: `${i}.jpg` }));
  const described = { info: { features: { image: { _type: "Image" }, ...features } } };
  const bytes = parquetWriteBuffer({
    schema: [
      { name: "root", num_children: 1 + all.length },
      { name: "image", num_children: 2, repetition_type: "OPTIONAL" },
      { name: "bytes", type: "BYTE_ARRAY", repetition_type: "OPTIONAL" },
      { name: "path", type: "BYTE_ARRAY", converted_type: "UTF8", repetition_type: "OPTIONAL" },
      ...all.map(([name, { type }]) => ({
        name,
        repetition_type: "OPTIONAL" as const,
        ...(type === "STRING" ? ({ type: "BYTE_ARRAY", converted_type: "UTF8" } as const) : { type }),
      })),
    ],
    columnData: [{ name: "image", data: images }, ...all.map(([name, { data }]) => ({ name, data }))],
    ...(features && { kvMetadata: [{ key: "huggingface", value: JSON.stringify(described) }] }),
  });
  return write({ "a.parquet": new Uint8Array(bytes), ...others });
}

/** With one column of labels; `type` as its features call it, none for a file that describes none. */
function parquet(name: string, column: Column, type?: object, others: Others = {}): string {
  return parquetOf({ [name]: column }, type && { [name]: type }, others);
}

async function labelsOf(path: string): Promise<{ readonly labels: unknown; readonly names: unknown }> {
  const { items, classes } = await openSource(path);
  return { labels: items.map(({ label }) => label), names: classes?.map(({ name }) => name) };
}

const names = { "classnames.txt": "newt\nowl\nelk\n" };
const value = (dtype: string) => ({ _type: "Value", dtype });

describe("labels", () => {
  it.each(["label", "labels", "class", "category_id", "Label", "class_idx", "fine_label"])(
    "Parquet: integers in a column %s that is no ClassLabel",
    async (name) => {
      for (const type of [value("int64"), undefined]) {
        const column = { data: [2n, 0n, 2n], type: "INT64" } satisfies Column;
        expect(await labelsOf(parquet(name, column, type, names))).toEqual({
          labels: [2, 0, 2],
          names: ["newt", "owl", "elk"],
        });
      }
    },
  );

  it("Parquet: of several columns of labels the likeliest, with a remark", async () => {
    const fine: Column = { data: [2, 0], type: "INT32" };
    const coarse: Column = { data: [0, 0], type: "INT32" };
    const source = await openSource(parquetOf({ coarse_label: coarse, fine_label: fine }));
    expect(source.items.map(({ label }) => label)).toEqual([2, 0]);
    expect(source.remarks?.[0]?.message).toMatch(/labels are those of column fine_label, not of coarse_label/);
    expect(await labelsOf(parquetOf({ fine_label: coarse, label: fine }))).toMatchObject({ labels: [2, 0] });
  });

  it.each<object>([
    { _type: "Sequence", feature: { _type: "ClassLabel", names: ["newt", "owl"] } },
    { _type: "List", feature: { _type: "ClassLabel", names: ["newt", "owl"] } },
    [{ _type: "ClassLabel", names: ["newt", "owl"] }] as object,
  ])("Parquet: the names in a list of ClassLabel, %j", async (feature) => {
    const column = { data: [1, 0], type: "INT32" } satisfies Column;
    expect(await labelsOf(parquet("labels", column, feature))).toEqual({ labels: [1, 0], names: ["newt", "owl"] });
  });

  it("WebDataset: a field that is null says nothing, several numbers and Git LFS pointers are no label", async () => {
    const json = [0, 1].map((label) => JSON.stringify({ label: null, class: label }));
    expect(await labelsOf(await tar("json", json))).toMatchObject({ labels: [0, 1] });
    await expect(openSource(await tar("cls", ["0 1", "1"]))).rejects.toThrow(
      /s0\.cls holds 2 labels, which is no label/,
    );
    const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${"a".repeat(64)}\nsize 12\n`;
    for (const kind of ["cls", "json"] as const)
      await expect(openSource(await tar(kind, [pointer, pointer]))).rejects.toThrow(/s0\.\w+ is a Git LFS pointer/);
  });

  it("Parquet: other types of numbers, and lists of one", async () => {
    const wanted = { labels: [1, 0], names: ["0", "1"] };
    expect(await labelsOf(parquet("label", { data: [1, 0], type: "INT32" }))).toEqual(wanted);
    expect(await labelsOf(parquet("label", { data: [1, 0], type: "DOUBLE" }))).toEqual(wanted);
    expect(await labelsOf(parquet("label", { data: [true, false], type: "BOOLEAN" }))).toEqual(wanted);
    expect(await labelsOf(parquet("label", { data: ["1", "0"], type: "STRING" }))).toEqual(wanted);
  });

  it("Parquet: names, in the order of the text or of the class names", async () => {
    const column = { data: ["owl", "elk", "owl"], type: "STRING" } satisfies Column;
    expect(await labelsOf(parquet("label", column, value("string")))).toEqual({
      labels: [1, 0, 1],
      names: ["elk", "owl"],
    });
    expect(await labelsOf(parquet("label", column, undefined, names))).toEqual({
      labels: [1, 2, 1],
      names: ["newt", "owl", "elk"],
    });
  });

  it("Parquet: says which column counts where there are several", async () => {
    const path = parquetOf(
      { fine: { data: [0n], type: "INT64" }, coarse: { data: [0n], type: "INT64" } },
      { fine: { _type: "ClassLabel", names: ["newt"] }, coarse: { _type: "ClassLabel", names: ["animal"] } },
    );
    const { remarks } = await openSource(path);
    expect(remarks).toEqual([
      { kind: "fact", message: expect.stringMatching(/labels are those of column fine, not of coarse/) },
    ]);
  });

  it("WebDataset: names, and JSON beside the images", async () => {
    expect(await labelsOf(await tar("cls", ["owl\n", "elk"], names))).toEqual({
      labels: [1, 2],
      names: ["newt", "owl", "elk"],
    });
    expect(await labelsOf(await tar("cls", ["owl", "elk"]))).toEqual({ labels: [1, 0], names: ["elk", "owl"] });
    // As text beside names, "1" is as good a name as any.
    expect(await labelsOf(await tar("cls", ["owl", "1"]))).toEqual({ labels: [1, 0], names: ["1", "owl"] });
    expect(await labelsOf(await tar("cls", ["\ufeff1", "0"]))).toEqual({ labels: [1, 0], names: ["0", "1"] });
    for (const json of ['{"label": 1}', '{"cls": "1"}', '\ufeff{"class_id": [1], "caption": "x"}'])
      expect(await labelsOf(await tar("json", [json], names))).toEqual({ labels: [1], names: ["newt", "owl", "elk"] });
    expect(await labelsOf(await tar("json", ['{"class": "owl"}'], names))).toMatchObject({ labels: [1] });
    expect(await labelsOf(await tar("json", ['{"label": -1}', '{"label": null}']))).toEqual({
      labels: [undefined, undefined],
      names: undefined,
    });
  });

  it.each([
    [
      "a name that is none of the classes",
      ["owl", "cat"],
      names,
      /s1\.jpg has the label "cat".*none of the classes in/,
    ],
    ["a number beyond the classes", ["3"], names, /has the label 3.*names 3 classes, labels 0 to 2/],
    ["a number that is no count of classes", ["99999999"], {}, /has the label 99999999.*at most 1000000/],
    ["a fraction", ["1.5"], {}, /s0\.cls holds "1\.5", which is no label/],
    ["a negative number", ["-2"], {}, /s0\.cls holds "-2", which is no label/],
    ["two classes of one name", ["owl"], { "classnames.txt": "owl\nelk\nowl\n" }, /calls two classes "owl"/],
  ])("refuses %s", async (_, contents, others, message) => {
    const path = await tar("cls", contents, others as Others);
    await expect(openSource(path)).rejects.toThrow(UsageError);
    await expect(openSource(path)).rejects.toThrow(message);
  });

  it("refuses names beside numbers, and several labels an image", async () => {
    await expect(openSource(await tar("json", ['{"label": 1}', '{"label": "owl"}']))).rejects.toThrow(
      /s1\.jpg has the label "owl", and .*s0\.jpg the number 1/,
    );
    await expect(openSource(await tar("json", ['{"labels": [1, 2]}']))).rejects.toThrow(
      /s0\.json, labels, holds 2 labels/,
    );
    await expect(openSource(parquet("label", { data: [0.5], type: "DOUBLE" }))).rejects.toThrow(
      /row 0, column "label", holds "0\.5", which is no label/,
    );
  });
});

describeWithData("labels of others", () => {
  const faults = join(sharedData, "faults");

  it("an integer column that the features call Value", async () => {
    const { labels, names } = await labelsOf(join(faults, "parquet-labels", "value-int64"));
    expect(names).toHaveLength(10);
    expect((labels as number[]).every((label) => Number.isInteger(label) && label >= 0 && label < 10)).toBe(true);
  });

  it("a label of 99,999,999, without a name for every number", async () => {
    await expect(openSource(join(faults, "hostile", "cls-1e8.tar"))).rejects.toThrow(/label 99999999/);
  });
});
