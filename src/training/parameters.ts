import { UsageError } from "../errors.ts";
import { describeType, type Tensor } from "../tensor/index.ts";
import { simdLoop } from "./adamw/wasm/index.ts";

/** Tensors by name, as checkpoints hold them. */
export type State = ReadonlyMap<string, Tensor>;

const additions = simdLoop({ arrays: 2 }, (k, [a, b]) => ({ writes: [k.add(a!, b!)] }));
const squares = simdLoop({ arrays: 1 }, (k, [x]) => ({ sum: k.mul(x!, x!) }));

export function addInPlace(sum: Float32Array, part: Float32Array): void {
  additions([sum, part]);
}

export function sumOfSquares(x: Float32Array): number {
  return squares([x]);
}

/** Joins several states into one, with a prefix before the names of each. */
export function joinStates(states: Readonly<Record<string, State>>): State {
  const entries = Object.entries(states).flatMap(([prefix, state]) =>
    [...state].map(([name, tensor]) => [`${prefix}.${name}`, tensor] as const),
  );
  return new Map(entries);
}

/** The state that `joinStates` stored under a prefix. */
export function stateOf(joined: State, prefix: string): State {
  const start = `${prefix}.`;
  return new Map(
    [...joined].filter(([name]) => name.startsWith(start)).map(([name, tensor]) => [name.slice(start.length), tensor]),
  );
}

/** @throws UsageError when `saved` lacks one of `own`'s tensors, or has it with another type */
export function checkSameTensors(own: State, saved: State): void {
  for (const [name, { dtype, shape }] of own) {
    const found = saved.get(name);
    if (found && describeType(found.dtype, found.shape) === describeType(dtype, shape)) continue;
    const got = found ? describeType(found.dtype, found.shape) : "missing";
    throw new UsageError(
      `The checkpoint is of another encoder or objective: its tensor ${name} is ${got}, ${describeType(dtype, shape)} is needed.`,
    );
  }
}
