import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it, test } from "vitest";
import { apgd, attackList, autoAttack, pgd } from "../../attacks/index.ts";
import { UsageError } from "../../errors.ts";
import { openTemplates } from "../../inference/index.ts";
import { readSuite } from "./read.ts";
import { suiteEpsilons } from "./suite.ts";

const base = mkdtempSync(join(tmpdir(), "lore-suite-"));
afterAll(() => rmSync(base, { recursive: true, force: true }));

const file = join(base, "mine.yaml");
mkdirSync(join(base, "photos"));
writeFileSync(join(base, "prompts.txt"), "a {c}\n");
writeFileSync(join(base, "names.json"), '["one", "two"]');

function suite(text: string) {
  writeFileSync(file, text);
  return readSuite(file);
}

describe("a description", () => {
  it("gives its sets what it says for all, where they do not say otherwise", () => {
    const { name, sets } = suite(`
      attack: lore
      epsilons: [1/255, 2/255]
      images: 100
      templates: prompts.txt
      sets:
        - { name: a, data: photos, title: First, classes: names.json, averaged: false, seed: 3 }
        - name: b
          data: wds/b
          split: val
          classes: [one, two]
          templates: ["the {}", "a {}"]
          attack: { name: pgd, steps: 5, stepSize: 1/255, norm: l2 }
          epsilons: [0.5]
          images: 7
          resolution: native
        - { name: c, data: "synthetic:8", attack: none }
        - { name: d, data: "synthetic:8", attack: [apgd-ce, apgd-t], templates: pets }
    `);
    expect(name).toBe(file);
    const [epsilon, more] = [1 / 255, 2 / 255] as const;
    const all = { averaged: true, split: "test", resolution: "encoder", images: 100, templates: ["a {}"] };
    expect(sets).toEqual([
      {
        ...all,
        ...{ name: "a", title: "First", data: join(base, "photos"), averaged: false, seed: 3 },
        classes: { file: join(base, "names.json") },
        attacks: [epsilon, more].map((size) => autoAttack({ epsilon: size, version: "lore" })),
      },
      {
        ...{ name: "b", title: "b", data: "wds/b", split: "val", averaged: true, resolution: "native", images: 7 },
        classes: ["one", "two"],
        templates: ["the {}", "a {}"],
        attacks: [pgd({ epsilon: 0.5, steps: 5, stepSize: 1 / 255, norm: "l2" })],
      },
      { ...all, name: "c", title: "c", data: "synthetic:8", attacks: [] },
      {
        ...all,
        ...{ name: "d", title: "d", data: "synthetic:8" },
        templates: openTemplates("pets"),
        attacks: [epsilon, more].map((size) =>
          attackList([apgd({ epsilon: size }), apgd({ epsilon: size, loss: "targeted-dlr" })]),
        ),
      },
    ]);
  });

  it("may be JSON", () => {
    expect(suite('{ "name": "j", "sets": [{ "name": "a", "data": "synthetic:8" }] }')).toMatchObject({
      name: "j",
      sets: [{ name: "a", data: "synthetic:8", attacks: [] }],
    });
  });
});

test.each([
  ["no YAML", "sets: [", /neither YAML nor JSON/],
  ["no mapping", "- a", /mine\.yaml: a mapping of fields is needed/],
  ["no sets", "name: a", /mine\.yaml: the field "sets" is missing/],
  ["an empty list", "sets: []", /mine\.yaml, sets: \[\] is not a list of at least one/],
  ["a misspelt field of the suite", "set: []", /mine\.yaml: there is no field "set"; there are name, sets, attack/],
  ["a misspelt field of a set", "sets: [{ name: a, date: b }]", /set 1: there is no field "date"/],
  ["no name", "sets: [{ data: a }]", /set 1: the field "name" is missing/],
  ["a name that is a path", "sets: [{ name: ../a, data: a }]", /set 1, name: "\.\.\/a" may have letters/],
  ["no data", "sets: [{ name: a }]", /set a: the field "data" is missing/],
  ["a name twice", "sets: [{ name: a, data: b }, { name: a, data: c }]", /two sets are called a/],
  ["no such attack", "attack: pdg\nsets: [{ name: a, data: b }]", /mine\.yaml, attack: there is no attack "pdg"/],
  ["a setting of no attack", "sets: [{ name: a, data: b, attack: { name: pgd, step: 5 } }]", /set a, attack: .*"step"/],
  [
    "a setting of another attack",
    "sets: [{ name: a, data: b, attack: { name: pgd, queries: 5 } }]",
    /set a, attack: queries does not go with attack pgd, which takes epsilons, norm, loss, steps/,
  ],
  ["no size", "sets: [{ name: a, data: b, attack: pgd, epsilons: [a lot] }]", /set a, epsilons: "a lot" is no size/],
  ["a size twice", "sets: [{ name: a, data: b, attack: pgd, epsilons: [0.5, 0.5] }]", /set a, epsilons: 0.5 is there/],
  ["sizes in 1/255", "sets: [{ name: a, data: b, attack: pgd, epsilons: [1] }]", /set a, attack: .*write 1\/255/],
  [
    "no number of images",
    "images: 0\nsets: [{ name: a, data: b }]",
    /yaml, images: 0 is not a whole number, at least 1/,
  ],
  ["no seed", "sets: [{ name: a, data: b, seed: -1 }]", /set a, seed: -1 is not a whole number, at least 0/],
  ["no resolution", "sets: [{ name: a, data: b, resolution: 32 }]", /set a, resolution: 32 is not encoder or native/],
  ["no truth", 'sets: [{ name: a, data: b, averaged: "no" }]', /set a, averaged: "no" is not true or false/],
  [
    "no such file of names",
    "sets: [{ name: a, data: b, classes: none.json }]",
    /set a, classes: there is no file .*none/,
  ],
  [
    "no such templates",
    "templates: none\nsets: [{ name: a, data: b }]",
    /mine\.yaml, templates: .*no such set or file/,
  ],
  ["a template without {}", 'sets: [{ name: a, data: b, templates: ["a"] }]', /set a, templates: "a" has no \{\}/],
])("%s is refused by file, set and field", (_, text, message) => {
  expect(() => suite(text)).toThrow(UsageError);
  expect(() => suite(text)).toThrow(message);
});

describe("suites that come along", () => {
  it("are found by name", () => {
    expect(() => readSuite("medium")).toThrow(/No suite medium.*zeroshot-13, tiny/);
    const { sets } = readSuite("tiny");
    expect(sets.every(({ data }) => data.startsWith("synthetic:"))).toBe(true);
  });

  it("zeroshot-13: the paper's sets, attack and sizes", () => {
    const suite = readSuite("zeroshot-13");
    expect(suiteEpsilons(suite)).toEqual([1 / 255, 2 / 255, 4 / 255]);
    // The ids of CLIP_benchmark.
    const ids = "vtab/cifar10 stl10 vtab/cifar100 cars vtab/caltech101 vtab/pets vtab/flowers vtab/dtd vtab/eurosat";
    const all = `${ids} fgvc_aircraft vtab/pcam imagenet-r imagenet_sketch`.split(" ").map((id) => `wds/${id}`);
    const averaged = suite.sets.filter((set) => set.averaged);
    expect(averaged.map(({ data }) => data).sort()).toEqual(all.sort());
    expect(suite.sets.filter((set) => !set.averaged).map(({ data }) => data)).toEqual(["wds/imagenet1k"]);
    for (const { name, attacks, images, split, resolution, templates } of suite.sets) {
      expect({ name, images, split }).toEqual({ name, images: 1000, split: "test" });
      expect({ name, resolution }).toEqual({ name, resolution: /cifar|stl/.test(name) ? "native" : "encoder" });
      expect(templates!.length, name).toBeGreaterThan(0);
      const [first] = attacks;
      const attack = autoAttack({ epsilon: 1 / 255, version: "lore" });
      expect({ name, first }).toEqual({ name, first: name === "pcam" ? attack.attacks[0] : attack });
    }
  });
});
