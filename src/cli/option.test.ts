import { Command } from "commander";
import { describe, expect, expectTypeOf, test } from "vitest";
import { command } from "./command.ts";
import { type Flags, flag, list, option, withOptions } from "./option.ts";
import { oneOf, parseCount, parseEpsilon, text } from "./parsers.ts";

const options = {
  data: option("--data <data>", text, { help: "images", topic: "data", required: true }),
  epsilon: option("--epsilon <size>", parseEpsilon, { help: "size", topic: "attack", default: "2/255" }),
  limitTrain: option("--limit-train <n>", parseCount, { help: "images to fit on", topic: "data" }),
  device: option("--device <name>", oneOf(["cpu", "cuda"]), { help: "where", topic: "compute", default: "cpu" }),
  encoder: list("--encoder <encoder...>", { help: "encoders", topic: "encoder" }),
  strict: flag("--strict", { help: "fail", topic: "data" }),
};

function parsed(...args: readonly string[]): Flags<typeof options> {
  const made = withOptions(new Command("test"), options)
    .exitOverride()
    .configureOutput({ writeErr: () => {} });
  return made.parse(["node", "lore", ...args]).opts();
}

describe("a declaration", () => {
  test("gives the parsed flags and their types", () => {
    expectTypeOf<Flags<typeof options>>().toEqualTypeOf<
      {
        readonly data: string;
        readonly epsilon: number;
        readonly device: "cpu" | "cuda";
      } & {
        readonly limitTrain?: number;
        readonly encoder?: readonly string[];
        readonly strict?: true;
      }
    >();
    expect(parsed("--data", "photos")).toEqual({ data: "photos", epsilon: 2 / 255, device: "cpu" });
    const all = ["--limit-train", "7", "--strict", "--encoder", "a", "b", "--epsilon", "0.5", "--device", "cuda"];
    expect(parsed("--data", "photos", ...all)).toEqual({
      ...{ data: "photos", epsilon: 0.5, device: "cuda", limitTrain: 7 },
      ...{ encoder: ["a", "b"], strict: true },
    });
  });

  test.each([
    [[], /required option '--data <data>' not specified/],
    [["--data", "x", "--limit-train", "none"], /--limit-train.*positive integer/],
    [["--data", "x", "--device", "gpu"], /--device.*Allowed choices are cpu, cuda/],
  ])("refuses %j", (args, message) => {
    expect(() => parsed(...args)).toThrow(message);
  });

  test("under another name than its flag is a mistake of ours", () => {
    expect(() => withOptions(new Command(), { limit: options.limitTrain })).toThrow(/--limit-train.*limit/);
  });
});

test("help: what everyone needs, examples, the others by topic; defaults as people write them", () => {
  const made = command({
    ...{ name: "test", description: "test something", options },
    essentials: ["epsilon", "data"],
    examples: ["test --data photos", "test --data photos --epsilon 1/255"],
    run: async () => {},
  });
  const help = made.helpInformation();
  const order = ["Options:", "--epsilon", "--data", "Examples:", "lore test --data photos", "Images and classes:"];
  const rest = ["--limit-train", "--strict", "Encoder:", "--encoder", "Computation:", "--device"];
  const places = [...order, ...rest].map((part) => help.indexOf(part));
  expect(places).not.toContain(-1);
  expect(places).toEqual(places.toSorted((a, b) => a - b));
  expect(help).toContain("size (default: 2/255)");
});
