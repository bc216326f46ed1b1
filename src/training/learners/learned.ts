import type { Parameters } from "../../models/index.ts";
import { feedsOf } from "../../models/index.ts";
import type { Tensor } from "../../tensor/index.ts";
import type { AdamW } from "../adamw/adamw.ts";
import { momentNames } from "../adamw/graph.ts";

/**
 * The host's own arrays of everything that AdamW's graph changes (parameters by name, moments by `momentNames`), and the
 * optimiser's steps so far.
 */
export function takeLearned(
  parameters: Parameters,
  optimizer: AdamW,
): { readonly arrays: Readonly<Record<string, Float32Array>>; readonly steps: number } {
  const state = optimizer.state();
  const names = [...parameters.keys()].flatMap(momentNames);
  const moments = names.map((name) => [name, state.get(name)!.data as Float32Array] as const);
  return {
    arrays: { ...feedsOf(parameters), ...Object.fromEntries(moments) },
    steps: Number(state.get("steps")!.data[0]),
  };
}

/** Copies changed tensors, named as by `takeLearned`, back into the host's arrays. */
export function giveBack(
  parameters: Parameters,
  optimizer: AdamW,
  arrays: ReadonlyMap<string, Float32Array>,
  steps: number,
): void {
  for (const [name, { data }] of parameters) data.set(arrays.get(name)!);
  const moments = [...arrays].map(([name, data]) => [name, { data } as Tensor] as const);
  const count: Tensor = { dtype: "float64", shape: [], data: Float64Array.of(steps) };
  optimizer.restore(new Map([...moments, ["steps", count]]));
}
