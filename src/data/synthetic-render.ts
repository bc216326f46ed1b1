import { type RandomStream, randomStream } from "../random.ts";
import type { RawImage, SyntheticSplit } from "./source.ts";
import { type Background, type Colour, sceneOf, type Texture } from "./synthetic-scene.ts";
import { type Distance, outlines, polygon } from "./synthetic-shapes.ts";

/*
 * Pictures are functions over the square [-1, 1]^2 (x to the right, y downwards), sampled at pixel centres; edges are
 * blended over one pixel, so that every size shows the same picture.
 */

type Rgb = readonly [red: number, green: number, blue: number];

/** A piece put over the picture. Points come in the piece's own coordinates, where it lies in the circle `radius`. */
interface Layer {
  readonly place: Place;
  readonly radius: number;
  readonly outline: Distance;
  readonly opacity: number;
  readonly colour: Rgb;
  /** Share of `second` in the colour at a point; `pixel` is the width of a pixel there. */
  readonly pattern: (x: number, y: number, pixel: number) => number;
  readonly second: Rgb;
}

/** Where a piece lies in the picture, how large and how turned. */
interface Place {
  readonly scale: number;
  readonly centreX: number;
  readonly centreY: number;
  readonly cos: number;
  readonly sin: number;
}

const palette: Readonly<Record<Colour | Background, Rgb>> = {
  red: [214, 42, 40],
  orange: [244, 133, 28],
  yellow: [242, 214, 45],
  green: [52, 158, 62],
  cyan: [54, 196, 210],
  blue: [42, 78, 208],
  purple: [128, 52, 168],
  pink: [244, 142, 188],
  white: [238, 238, 236],
  black: [26, 26, 30],
  grey: [128, 128, 130],
};
const allColours = Object.values(palette);

/**
 * Draws image `index` of a split at `size` x `size` pixels. The same (seed, split, index) always shows the same
 * picture, at any size.
 */
export function renderSynthetic(seed: number, split: SyntheticSplit, index: number, size: number): RawImage {
  const scene = sceneOf(seed, split, index);
  const random = randomStream("render", seed, split, index);
  const canvas = new Float32Array(size * size * 3);
  paintBackground(canvas, size, palette[scene.background], random);
  const pieces = 4 + random.below(5);
  for (let piece = 0; piece < pieces; piece++) paint(canvas, size, distractor(random));
  paint(canvas, size, mainShape(outlines[scene.shape], palette[scene.colour], scene.texture, random));
  addNoise(canvas, size, 24, random.uniform(4, 14), random);
  return { width: size, height: size, data: Uint8Array.from(Uint8ClampedArray.from(canvas)) };
}

/** A muted gradient between two tones of the colour, with soft blotches. */
function paintBackground(canvas: Float32Array, size: number, base: Rgb, random: RandomStream): void {
  const muted = blend(base, palette.grey, random.uniform(0.25, 0.5));
  const light = blend(muted, palette.white, random.uniform(0, 0.35));
  const dark = blend(muted, palette.black, random.uniform(0, 0.35));
  const angle = random.uniform(0, 2 * Math.PI);
  const [directionX, directionY] = [Math.cos(angle), Math.sin(angle)];
  for (let row = 0, at = 0; row < size; row++) {
    for (let column = 0; column < size; column++) {
      const along = toPicture(column, size) * directionX + toPicture(row, size) * directionY;
      const share = clamp(0.5 + 0.4 * along);
      for (let c = 0; c < 3; c++) canvas[at++] = light[c]! + (dark[c]! - light[c]!) * share;
    }
  }
  addNoise(canvas, size, 3, random.uniform(8, 28), random);
}

/** A small plain piece of any colour: a dot, a bar or a chip, partly see-through. */
function distractor(random: RandomStream): Layer {
  const length = random.uniform(0.4, 1.8);
  return {
    place: randomPlace(random, random.uniform(0.06, 0.18), 0.95, Math.PI),
    radius: 2,
    outline: random.pick<Distance>([
      (x, y) => Math.sqrt(x * x + y * y) - 0.7,
      (x, y) => Math.max(Math.abs(x) - length, Math.abs(y) - 0.3),
      chip,
    ]),
    opacity: random.uniform(0.5, 0.95),
    colour: vary(random.pick(allColours), random, 20),
    second: palette.black,
    pattern: () => 0,
  };
}

const chip = polygon([
  [-0.9, 0.6],
  [0.9, 0.5],
  [0.1, -0.9],
]);

function mainShape(outline: Distance, base: Rgb, texture: Texture, random: RandomStream): Layer {
  const colour = vary(base, random, 14);
  return {
    place: randomPlace(random, random.uniform(0.5, 0.78), 0.2, Math.PI / 9),
    radius: 1,
    outline,
    opacity: 1,
    colour,
    second: random.below(2) === 0 ? blend(colour, palette.black, 0.4) : blend(colour, palette.white, 0.45),
    pattern: patternOf(texture, random),
  };
}

function randomPlace(random: RandomStream, scale: number, range: number, turn: number): Place {
  const [centreX, centreY] = [random.uniform(-range, range), random.uniform(-range, range)];
  const angle = random.uniform(-turn, turn);
  return { scale, centreX, centreY, cos: Math.cos(angle) / scale, sin: Math.sin(angle) / scale };
}

function paint(canvas: Float32Array, size: number, layer: Layer): void {
  const { scale, centreX, centreY, cos, sin } = layer.place;
  const reach = layer.radius * scale;
  const [left, right] = pixelRange(centreX - reach, centreX + reach, size);
  const [top, bottom] = pixelRange(centreY - reach, centreY + reach, size);
  const pixel = 2 / size / scale;
  for (let row = top; row < bottom; row++) {
    const dy = toPicture(row, size) - centreY;
    for (let column = left; column < right; column++) {
      const dx = toPicture(column, size) - centreX;
      const [x, y] = [dx * cos + dy * sin, dy * cos - dx * sin];
      const coverage = layer.opacity * edge(layer.outline(x, y), pixel);
      if (coverage === 0) continue;
      const share = layer.pattern(x, y, pixel);
      const at = (row * size + column) * 3;
      for (let c = 0; c < 3; c++) {
        const colour = layer.colour[c]! + (layer.second[c]! - layer.colour[c]!) * share;
        canvas[at + c] = canvas[at + c]! + (colour - canvas[at + c]!) * coverage;
      }
    }
  }
}

/** Share (0 ... 1) of the second tone at a point of the shape. */
function patternOf(texture: Texture, random: RandomStream): Layer["pattern"] {
  const period = random.uniform(0.36, 0.52);
  const angle = random.uniform(0, Math.PI);
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  const toNearest = (t: number) => t - Math.round(t / period) * period;
  const band = (t: number, pixel: number) => edge(Math.abs(toNearest(t)) - period / 4, pixel);
  switch (texture) {
    case "plain":
      return () => 0;
    case "striped":
      return (x, y, pixel) => band(x * cos + y * sin, pixel);
    case "checked":
      return (x, y, pixel) => {
        const [a, b] = [band(x, pixel), band(y, pixel)];
        return a + b - 2 * a * b;
      };
    case "dotted":
      return (x, y, pixel) => {
        const [u, v] = [toNearest(x * cos + y * sin), toNearest(y * cos - x * sin)];
        return edge(Math.sqrt(u * u + v * v) - period * 0.3, pixel);
      };
  }
}

/**
 * Adds smooth gray noise of this amplitude (grey levels): random values on a lattice of `cells` cells a side, blended
 * between.
 */
function addNoise(canvas: Float32Array, size: number, cells: number, amplitude: number, random: RandomStream): void {
  const side = cells + 1;
  const values = Float32Array.from({ length: side * side }, () => random.uniform(-amplitude, amplitude));
  for (let row = 0, at = 0; row < size; row++) {
    const v = ((row + 0.5) / size) * cells;
    const t = ease(v - Math.floor(v));
    for (let column = 0; column < size; column++, at += 3) {
      const u = ((column + 0.5) / size) * cells;
      const s = ease(u - Math.floor(u));
      const corner = Math.floor(v) * side + Math.floor(u);
      const top = values[corner]! * (1 - s) + values[corner + 1]! * s;
      const bottom = values[corner + side]! * (1 - s) + values[corner + side + 1]! * s;
      const shade = top * (1 - t) + bottom * t;
      for (let c = 0; c < 3; c++) canvas[at + c] = canvas[at + c]! + shade;
    }
  }
}

/** The pixels whose centres can lie in this stretch of the picture, with one to spare on either side. */
function pixelRange(from: number, to: number, size: number): [first: number, end: number] {
  const toPixel = (t: number) => ((t + 1) / 2) * size;
  return [Math.max(0, Math.floor(toPixel(from)) - 1), Math.min(size, Math.ceil(toPixel(to)) + 1)];
}

const toPicture = (pixel: number, size: number) => ((pixel + 0.5) * 2) / size - 1;

const clamp = (t: number) => Math.min(Math.max(t, 0), 1);

const ease = (t: number) => t * t * (3 - 2 * t);

/** How much of a pixel at this distance from an outline lies inside. */
const edge = (distance: number, pixel: number) => clamp(0.5 - distance / pixel);

function vary(colour: Rgb, random: RandomStream, by: number): Rgb {
  const change = () => random.uniform(-by, by);
  return [colour[0] + change(), colour[1] + change(), colour[2] + change()];
}

function blend(a: Rgb, b: Rgb, share: number): Rgb {
  const mix = (from: number, to: number) => from + (to - from) * share;
  return [mix(a[0], b[0]), mix(a[1], b[1]), mix(a[2], b[2])];
}
