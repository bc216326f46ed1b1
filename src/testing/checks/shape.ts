import { product, range } from "../../graph/shapes.ts";
import type { Attributes } from "../../onnx/model.ts";
import type { Draw } from "../draw.ts";
import type { GradientCase } from "../gradcheck.ts";
import { apply, type Checks, onShape, unary } from "./check.ts";

/** To the other float type and on in it. All values are exact in both. */
const cast = (draw: Draw): GradientCase => ({
  inputs: [draw.real(draw.shape())],
  build: (g, [x]) => g.cast(x!, x!.dtype === "float64" ? "float32" : "float64"),
});

/** Another factorisation of the element count, perhaps with one size left to -1 or copied by 0. */
const reshape = (draw: Draw, from: readonly number[]): Attributes => {
  let rest = product(from);
  const shape: number[] = [];
  while (rest > 1 && draw.int(0, 4) > 0) {
    shape.push(draw.pick(range(rest + 1).filter((size) => size > 0 && rest % size === 0)));
    rest /= shape.at(-1)!;
  }
  if (rest > 1) shape.push(rest);
  if (shape.length === 0) return { shape };
  const i = draw.int(0, shape.length - 1);
  if (draw.bool()) shape[i] = -1;
  else if (shape[i] === from[i]) shape[i] = 0;
  return { shape };
};

const unsqueezed = (draw: Draw, { length }: readonly number[]): Attributes => {
  const rank = length + draw.int(0, 2);
  const axes = draw.shuffled(range(rank)).slice(0, rank - length);
  return { axes: axes.map((axis) => (draw.bool() ? axis - rank : axis)) };
};

const squeeze = (draw: Draw): GradientCase => {
  const shape = draw.shape({ maxSize: 2 });
  const ones = range(shape.length).filter((i) => shape[i] === 1);
  const axes = draw.shuffled(draw.some(ones)).map((axis) => (draw.bool() ? axis - shape.length : axis));
  return apply("Squeeze", [draw.real(shape)], draw.bool() ? { axes } : {});
};

const concat = (draw: Draw): GradientCase => {
  const shape = draw.shape({ minRank: 1, maxElements: 16 });
  const axis = draw.axis(shape.length);
  const parts = range(draw.int(1, 3)).map(() => shape.with(axis, draw.int(1, 3)));
  return apply(
    "Concat",
    parts.map((part) => draw.real(part)),
    { axis },
  );
};

/** Uneven parts, some of them used. */
const split = (draw: Draw): GradientCase => {
  const shape = draw.shape({ minRank: 1, maxElements: 16 });
  const axis = draw.axis(shape.length);
  const sizes = range(draw.int(1, 3)).map(() => draw.int(1, 3));
  const used = new Set([draw.int(0, sizes.length - 1), ...draw.some(range(sizes.length))]);
  return {
    inputs: [
      draw.real(
        shape.with(
          axis,
          sizes.reduce((a, b) => a + b),
        ),
      ),
    ],
    build: (g, [x]) => {
      const parts = g.split(x!, sizes, axis).filter((_, i) => used.has(i));
      return g.concat(
        parts.map((part) => g.mul(part, part)),
        axis,
      );
    },
  };
};

const expand = (draw: Draw): GradientCase => {
  const [from, to] = draw.broadcasting(2);
  return apply("Expand", [draw.real(from!)], { shape: to! });
};

/** Negative pads crop, but leave an element; reflection needs as many elements as it adds, wrapping too. */
const pad = (draw: Draw, shape: readonly number[]): Attributes => {
  const mode = draw.pick(["constant", "edge", "reflect", "wrap"]);
  const sides = shape.map((size) => {
    const crops = [draw.int(0, 2), draw.int(0, 2)].map((crop) => (draw.bool() ? crop : 0));
    const [before, after] = crops[0]! + crops[1]! < size ? crops : [0, 0];
    const rest = size - before! - after!;
    const max = { constant: 3, edge: 3, reflect: rest - 1, wrap: rest }[mode]!;
    return [before, after].map((crop) => (crop! > 0 ? -crop! : draw.int(0, Math.min(max, 3))));
  });
  const pads = [...sides.map(([before]) => before!), ...sides.map(([, after]) => after!)];
  return mode === "constant" ? { pads, value: draw.pick([0, 1.5]) } : { pads, mode };
};

export const shape: Checks = {
  Identity: unary("Identity"),
  Cast: cast,
  Reshape: onShape("Reshape", reshape),
  Flatten: onShape("Flatten", (draw, { length }) => ({ axis: draw.int(-length, length) })),
  Squeeze: squeeze,
  Unsqueeze: onShape("Unsqueeze", unsqueezed),
  Transpose: onShape("Transpose", (draw, { length }) =>
    draw.int(0, 4) === 0 ? {} : { perm: draw.shuffled(range(length)) },
  ),
  Concat: concat,
  Split: split,
  Expand: expand,
  Pad: onShape("Pad", pad, { minRank: 1, maxElements: 16 }),
};
