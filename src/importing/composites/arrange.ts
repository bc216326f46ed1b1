import { axisIn, mismatch, product, range } from "../../graph/index.ts";
import { numbersOf } from "../../onnx/index.ts";
import { constantShape } from "../limits.ts";
import { einsum } from "./einsum.ts";
import { select } from "./indexing.ts";
import { type Composites, number } from "./use.ts";

/** Operators that only move elements, and `Einsum`. */
export const arrangements: Composites = {
  // One known index is a slice. Its derivative is cheaper, and nothing else needs to be computed behind it (class tokens).
  Gather: ({ g, x: [x, indices], a }) => {
    const { origin } = indices!;
    const axis = axisIn(number(a, "axis", 0), x!.rank);
    if (origin.kind !== "constant" || origin.tensor.data.length !== 1)
      return g.apply("Gather", [x!, indices!], { axis });
    const [place] = numbersOf(origin.tensor) as [number];
    const start = place < 0 ? place + x!.shape[axis]! : place;
    const row = g.slice(x!, { starts: [start], ends: [start + 1], axes: [axis] });
    return [g.reshape(row, [...x!.shape.slice(0, axis), ...indices!.shape, ...x!.shape.slice(axis + 1)])];
  },
  Split: ({ g, x: [x], a: { parts, ...a } }) => {
    if (parts === undefined) return g.apply("Split", [x!], a);
    const size = x!.shape[axisIn(number(a, "axis", 0), x!.rank)]!;
    const most = Math.ceil(size / (parts as number));
    const split = range(parts as number).map((i) => Math.max(0, Math.min(most, size - i * most)));
    return g.apply("Split", [x!], { ...a, split });
  },
  // In training it is refused (see canonicalize): nothing is dropped.
  Dropout: ({ g, x: [x] }) => [x!, g.expand(g.scalar(1, "bool"), x!.shape)],
  Tile: ({ g, x: [x], a }) => {
    const repeats = a.repeats as readonly number[];
    const apart = g.reshape(
      x!,
      x!.shape.flatMap((size) => [1, size]),
    );
    const repeated = g.expand(
      apart,
      x!.shape.flatMap((size, axis) => [repeats[axis]!, size]),
    );
    return [
      g.reshape(
        repeated,
        x!.shape.map((size, axis) => size * repeats[axis]!),
      ),
    ];
  },
  DepthToSpace: ({ g, x: [x], a }) => {
    const [n, channels, height, width] = x!.shape as [number, number, number, number];
    const block = number(a, "blocksize", 1);
    if (a.mode !== "CRD" && a.mode !== "DCR") mismatch(`mode ${a.mode} is neither DCR nor CRD`);
    const depth = channels / block ** 2;
    const [split, order] =
      a.mode === "CRD"
        ? [
            [n, depth, block, block, height, width],
            [0, 1, 4, 2, 5, 3],
          ]
        : [
            [n, block, block, depth, height, width],
            [0, 3, 4, 1, 5, 2],
          ];
    return [g.reshape(g.transpose(g.reshape(x!, split), order), [n, depth, height * block, width * block])];
  },
  SpaceToDepth: ({ g, x: [x], a }) => {
    const [n, channels, height, width] = x!.shape as [number, number, number, number];
    const block = number(a, "blocksize", 1);
    const split = g.reshape(x!, [n, channels, height / block, block, width / block, block]);
    const moved = g.transpose(split, [0, 3, 5, 1, 2, 4]);
    return [g.reshape(moved, [n, channels * block ** 2, height / block, width / block])];
  },
  Trilu: ({ g, x: [x], a }) => {
    const [rows, columns] = x!.shape.slice(-2) as [number, number];
    const k = number(a, "k", 0);
    const kept = range(product(constantShape(g, [rows, columns]))).map((at) => {
      const above = (at % columns) - Math.floor(at / columns) - k;
      return Number(number(a, "upper", 1) ? above >= 0 : above <= 0);
    });
    const mask = g.constant({ dtype: "bool", shape: [rows, columns], data: Uint8Array.from(kept) });
    return [select(g, mask, x!, g.scalar(0, x!.dtype))];
  },
  Where: ({ g, x: [condition, a, b] }) => [select(g, condition!, a!, b!)],
  Einsum: ({ g, x, a }) => {
    const operands = x.map((value) => value ?? mismatch("an operand is left out"));
    return [einsum(g, String(a.equation), operands)];
  },
};
