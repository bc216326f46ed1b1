import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { describeWithData, sharedData } from "../test/shared.ts";
import { readClasses } from "./data/classes.ts";
import { imageFolder } from "./data/index.ts";
import { UsageError } from "./errors.ts";
import { openTemplates } from "./inference/index.ts";
import { readSuite } from "./measure/benchmark/index.ts";
import { readCaptions } from "./measure/fidelity/index.ts";
import { loadTokenizer } from "./models/text/tokenizer.ts";
import { linesOf, readJson, readText } from "./text.ts";

const root = mkdtempSync(join(tmpdir(), "lore-text-"));
afterAll(() => rmSync(root, { recursive: true }));

/** How programs write text, in bytes. */
const encodings: Readonly<Record<string, (text: string) => Buffer>> = {
  "UTF-8 with a byte order mark": (text) => Buffer.from(`\ufeff${text}`, "utf8"),
  "UTF-16, low byte first": (text) => Buffer.from(`\ufeff${text}`, "utf16le"),
  "UTF-16, high byte first": (text) => Buffer.from(`\ufeff${text}`, "utf16le").swap16(),
};

function write(name: string, content: string | Buffer): string {
  const path = join(root, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
  return path;
}

describe.each(Object.entries(encodings))("text files in %s", (encoding, encode) => {
  const file = (name: string, content: string): string => write(`${encoding}/${name}`, encode(content));

  test("class names and templates, of the data and given", () => {
    const path = join(root, encoding, "data");
    write(`${encoding}/data/a/1.jpg`, "");
    write(`${encoding}/data/b/1.jpg`, "");
    file("data/classnames.txt", "café\r\nnewt\r\n");
    file("data/zeroshot_classification_templates.txt", "a {c}\n{c}s\n");
    const { classes, templates } = imageFolder(path);
    expect(classes!.map(({ name }) => name)).toEqual(["café", "newt"]);
    expect(templates).toEqual(["a {}", "{}s"]);
    for (const content of ['["café", "newt"]', '{ "a": "café", "b": "newt" }'])
      expect(readClasses(file("names.json", content), ["a", "b"])!.classes.map(({ name }) => name)).toEqual([
        "café",
        "newt",
      ]);
    expect(openTemplates(file("templates.txt", "a {}\rthe {c}"))).toEqual(["a {}", "the {}"]);
    expect(openTemplates(file("templates.json", '["a {}"]'))).toEqual(["a {}"]);
  });

  test("captions, suites, JSON, a tokeniser's files", () => {
    const source = { name: "x", items: [{ id: "a.jpg", location: { kind: "file", path: "a.jpg" } }] } as const;
    for (const [name, content] of [
      ["captions.json", '{ "a.jpg": "a newt" }'],
      ["captions.tsv", "a.jpg\ta newt\n"],
      ["captions.csv", "a.jpg,a newt\n"],
    ] as const) {
      expect(readCaptions(file(name, content), source).byImage).toEqual(new Map([[0, ["a newt"]]]));
    }
    const suite = file("suite.yaml", "name: mine\nsets:\n  - { name: one, data: synthetic:8 }\n");
    expect(readSuite(suite)).toMatchObject({ name: "mine", sets: [{ name: "one" }] });
    expect(readJson(file("config.json", '{ "hidden_act": "gelu" }'))).toEqual({ hidden_act: "gelu" });
    file("tokenizer/bpe_simple_vocab_16e6.txt", '"bpe_simple_vocab_16e6.txt#version: 0.2\nt h\nth e</w>\n');
    // Ids: 256 bytes, 256 that end a word, one a merge, the two markers.
    expect(loadTokenizer(join(root, encoding, "tokenizer")).encode("the", 77)).toEqual([514, 513, 515]);
  });
});

test("lines end as on any system", () => {
  expect(linesOf("a\nb\r\nc\rd")).toEqual(["a", "b", "c", "d"]);
});

test("another encoding is refused by name instead of changing names", () => {
  const path = write("latin1.txt", Buffer.from("café", "latin1"));
  expect(() => readText(path)).toThrow(UsageError);
  expect(() => readText(path)).toThrow(/latin1\.txt is no text in UTF-8: save it in that encoding/);
  expect(() => readText(join(root, "none.txt"))).toThrow(/none\.txt cannot be read: ENOENT/);
});

describeWithData("byte order marks of others", () => {
  test("are read", () => {
    const path = join(sharedData, "faults", "byte-order-mark", "names.json");
    expect(readFileSync(path)[0]).toBe(0xef);
    expect(readJson(path)).toContain("airplane");
  });
});
