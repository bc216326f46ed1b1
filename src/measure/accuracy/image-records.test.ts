import { appendFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { UsageError } from "../../errors.ts";
import { readBytes } from "../../files.ts";
import { decodeSafetensors } from "../../safetensors.ts";
import { type ImageRecord, ResultsFolder } from "./image-records.ts";

let base: string;
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), "lore-results-"));
});
afterEach(() => rmSync(base, { recursive: true }));

const at = (name: string): string => join(base, name);
const read = (name: string): string => readFileSync(at(name), "utf8");
const settings = { encoder: "tiny", seed: 0, limit: undefined, attacks: [{ kind: "pgd", epsilon: 2 / 255 }] };

const clean = (index: number): ImageRecord => ({
  index,
  id: `${index}.png`,
  label: 1,
  measurement: "clean",
  attack: "clean",
  prediction: 1,
  margin: 0.5,
  broken: false,
});
const attacked = (index: number): ImageRecord => ({
  ...clean(index),
  measurement: "pgd linf 2/255",
  attack: "pgd",
  margin: -0.25,
  prediction: 0,
  broken: true,
  iteration: 3,
  run: 1,
});

test("what is added is there when the folder is opened again, a line each; nothing is added twice", () => {
  const first = new ResultsFolder(at("out"), settings);
  first.add([clean(4), clean(7)]);
  first.add([attacked(7)]);
  expect(JSON.parse(read("out/settings.json"))).toEqual(settings);
  const lines = read("out/results.jsonl").trimEnd().split("\n");
  expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([clean(4), clean(7), attacked(7)]);

  const second = new ResultsFolder(at("out"), settings);
  expect(second.counts).toEqual({ images: 2, attacked: 1 });
  expect(second.find("pgd linf 2/255", "pgd", 7)).toEqual(attacked(7));
  expect(second.find("pgd linf 2/255", "pgd", 4)).toBeUndefined();
  expect(second.find("pgd linf 4/255", "pgd", 7)).toBeUndefined();
  second.add([{ ...clean(4), margin: 9 }, attacked(4)]);
  expect(read("out/results.jsonl").trimEnd().split("\n")).toEqual([...lines, JSON.stringify(attacked(4))]);
});

describe("what an interruption leaves", () => {
  test("a line that was cut off is measured again, and spoils none that follow", () => {
    new ResultsFolder(at("out"), settings).add([clean(1)]);
    appendFileSync(at("out/results.jsonl"), JSON.stringify(clean(2)).slice(0, 30));
    const again = new ResultsFolder(at("out"), settings);
    expect(again.find("clean", "clean", 1)).toEqual(clean(1));
    expect(again.find("clean", "clean", 2)).toBeUndefined();
    again.add([clean(2)]);
    expect(new ResultsFolder(at("out"), settings).counts).toEqual({ images: 2, attacked: 0 });
  });

  test("a damaged line in the middle is named", () => {
    new ResultsFolder(at("out"), settings).add([clean(1)]);
    appendFileSync(at("out/results.jsonl"), "{not a record}\n");
    expect(() => new ResultsFolder(at("out"), settings)).toThrow(UsageError);
    expect(() => new ResultsFolder(at("out"), settings)).toThrow(/results\.jsonl, line 2, is damaged/);
  });
});

test("other settings are refused by name, and nothing is overwritten", () => {
  new ResultsFolder(at("out"), settings).add([clean(1)]);
  const before = [read("out/settings.json"), read("out/results.jsonl")];
  const other = { ...settings, seed: 1, limit: 8 };
  expect(() => new ResultsFolder(at("out"), other)).toThrow(UsageError);
  expect(() => new ResultsFolder(at("out"), other)).toThrow(/other settings \(seed, limit\).*--out/);
  expect([read("out/settings.json"), read("out/results.jsonl")]).toEqual(before);
});

test("a place where no folder can be is refused", () => {
  writeFileSync(at("file"), "");
  expect(() => new ResultsFolder(at("file"), settings)).toThrow(UsageError);
  expect(() => new ResultsFolder(at("file"), settings)).toThrow(/cannot be kept in .*file/);
});

describe("adversarial images", () => {
  const images = { indices: [5, 2], pixels: new Float32Array(2 * 12).map((_, i) => i / 24), imageSize: 2 };

  test("are float arrays, with the images' places in the source", () => {
    const results = new ResultsFolder(at("out"), settings, { saveAdversarial: true });
    results.saveAdversarial("pgd linf 2/255", "pgd", images);
    const files = readdirSync(at("out/adversarial"));
    expect(files).toEqual(["pgd-linf-2-255-pgd-from-5.safetensors"]);
    const { tensors } = decodeSafetensors(readBytes(at(`out/adversarial/${files[0]}`)));
    expect(tensors.get("adversarial")).toMatchObject({ dtype: "float32", shape: [2, 3, 2, 2], data: images.pixels });
    expect(tensors.get("index")).toMatchObject({ shape: [2], data: BigInt64Array.of(5n, 2n) });
  });

  test("are saved only where asked for, and not for some of the results", () => {
    const results = new ResultsFolder(at("out"), settings);
    results.saveAdversarial("pgd linf 2/255", "pgd", images);
    expect(existsSync(at("out/adversarial"))).toBe(false);
    results.add([clean(2)]);
    // Clean predictions have no adversarial images.
    new ResultsFolder(at("out"), settings, { saveAdversarial: true });
    results.add([attacked(2)]);
    expect(() => new ResultsFolder(at("out"), settings, { saveAdversarial: true })).toThrow(/were not saved/);
  });
});
