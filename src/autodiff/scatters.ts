/** Pullbacks of scatters, which combine the elements at a place with the updates written there. */

import type { Value } from "../graph/index.ts";
import type { Step } from "./rules.ts";

/** Write and read access to places: by index along an axis, or by vectors of indices. */
interface Access {
  readonly write: (data: Value, updates: Value, reduction: string) => Value;
  readonly read: (data: Value) => Value;
}

export function scatterElements(step: Step): readonly ((() => Value) | null)[] {
  const { g, a, x } = step;
  const { axis } = a;
  return pullbacks(step, {
    write: (data, updates, reduction) =>
      g.apply("ScatterElements", [data, x[1]!, updates], { axis: axis!, reduction })[0]!,
    read: (data) => g.apply("GatherElements", [data, x[1]!], { axis: axis! })[0]!,
  });
}

export function scatterND(step: Step): readonly ((() => Value) | null)[] {
  const { g, x } = step;
  return pullbacks(step, {
    write: (data, updates, reduction) => g.apply("ScatterND", [data, x[1]!, updates], { reduction })[0]!,
    read: (data) => g.apply("GatherND", [data, x[1]!])[0]!,
  });
}

function pullbacks(step: Step, access: Access): readonly ((() => Value) | null)[] {
  const { g, x, dy, a } = step;
  const { write, read } = access;
  switch (a.reduction) {
    case "add":
      return [() => dy, null, () => read(dy)];
    case "mul": {
      const others = otherFactors(step, access);
      return [
        () =>
          g.mul(
            dy,
            others(x[0]!, (value) => value),
          ),
        null,
        () => g.mul(read(dy), others(x[2]!, read)),
      ];
    }
    case "min":
    case "max": {
      const { hits, updateHits, share } = shares(step, access);
      return [() => g.mul(share(), hits()), null, () => g.mul(read(share()), updateHits())];
    }
    default:
      // Overwritten elements have no influence.
      return [() => write(dy, g.zeros(dy.dtype, x[2]!.shape), "none"), null, () => read(dy)];
  }
}

/** Elements and updates that tie for the extreme at a place share the cotangent equally. */
function shares({ g, x: [data, , updates], y, dy }: Step, { write, read }: Access) {
  const hits = (): Value => g.cast(g.equal(data!, y), dy.dtype);
  const updateHits = (): Value => g.cast(g.equal(updates!, read(y)), dy.dtype);
  const share = (): Value => g.div(dy, write(hits(), updateHits(), "add"));
  return { hits, updateHits, share };
}

/** Product at a place without one factor. Unlike division of the product, it is right for a factor of 0. */
function otherFactors({ g, x: [data, , updates], dy }: Step, { write }: Access) {
  const isZero = (value: Value): Value => g.equal(value, 0);
  const plain = (value: Value): Value => g.where(isZero(value), 1, value);
  const product = write(plain(data!), plain(updates!), "mul");
  const zeros = write(g.cast(isZero(data!), dy.dtype), g.cast(isZero(updates!), dy.dtype), "add");
  return (factor: Value, at: (value: Value) => Value): Value => {
    const withoutOne = g.where(g.equal(at(zeros), 1), at(product), 0);
    const withoutNone = g.where(g.equal(at(zeros), 0), g.div(at(product), plain(factor)), 0);
    return g.where(isZero(factor), withoutOne, withoutNone);
  };
}
