import { randomStream, shuffle } from "../random.ts";
import type { SyntheticSplit } from "./source.ts";

/** The classes of label "shape", in label order. */
export const shapes = ["circle", "square", "triangle", "star", "ring", "cross", "heart", "crescent"] as const;
/** The classes of label "colour", in label order. */
export const colours = ["red", "orange", "yellow", "green", "cyan", "blue", "purple", "pink"] as const;
export const textures = ["plain", "striped", "dotted", "checked"] as const;
export const backgrounds = [...colours, "white", "black", "grey"] as const;

export type Shape = (typeof shapes)[number];
export type Colour = (typeof colours)[number];
export type Texture = (typeof textures)[number];
export type Background = (typeof backgrounds)[number];

/** The content of a generated image: everything its caption and label need, without drawing it. */
export interface Scene {
  readonly shape: Shape;
  readonly colour: Colour;
  readonly texture: Texture;
  readonly background: Background;
  readonly caption: string;
}

/** True for the (colour, shape) pairs that only split "heldout" shows: one colour a shape, one shape a colour. */
export function isHeldOut(colour: Colour, shape: Shape): boolean {
  // 3 has an inverse modulo 8, so each colour and each shape is held out exactly once.
  return (colours.indexOf(colour) + 3 * shapes.indexOf(shape)) % colours.length === 2;
}

const pairs = shapes.flatMap((shape) => colours.map((colour) => ({ shape, colour })));
const heldOutPairs = pairs.filter(({ colour, shape }) => isHeldOut(colour, shape));
const trainingPairs = pairs.filter(({ colour, shape }) => !isHeldOut(colour, shape));

/**
 * The scene of image `index`: always the same for the same (seed, split, index).
 *
 * The pairs that a split has take turns in a seeded order, so that any prefix of a split is nearly balanced.
 */
export function sceneOf(seed: number, split: SyntheticSplit, index: number): Scene {
  const possible = pairsOf(split);
  const round = Math.floor(index / possible.length);
  const order = shuffle(possible, randomStream("pairs", seed, split, round));
  const { shape, colour } = order[index % possible.length]!;
  const random = randomStream("scene", seed, split, index);
  const texture = random.pick(textures);
  const background = random.pick(backgrounds.filter((candidate) => candidate !== colour));
  const caption = random.pick(captions)({ texture, colour, shape, background });
  return { shape, colour, texture, background, caption };
}

function pairsOf(split: SyntheticSplit): typeof pairs {
  switch (split) {
    case "all":
      return pairs;
    case "heldout":
      return heldOutPairs;
    case "train":
    case "test":
      return trainingPairs;
  }
}

type Words = Omit<Scene, "caption">;

const captions: readonly ((words: Words) => string)[] = [
  (w) => `${article(surface(w))} on ${article(w.background)} background`,
  (w) => `a picture of ${article(surface(w))} on ${article(w.background)} background`,
  (w) => `${article(surface(w))} in front of ${article(w.background)} backdrop`,
  (w) => `${article(`${w.colour} ${w.shape}`)}${pattern[w.texture]} on ${w.background}`,
];

const pattern: Readonly<Record<Texture, string>> = {
  plain: "",
  striped: " with stripes",
  dotted: " with dots",
  checked: " with a checked pattern",
};

const surface = ({ texture, colour, shape }: Words) => `${texture} ${colour} ${shape}`;

const article = (words: string) => `${/^[aeiou]/.test(words) ? "an" : "a"} ${words}`;
