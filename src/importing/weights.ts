import type { OnnxModel, OnnxNode } from "../onnx/index.ts";
import { factsOf } from "../onnx/index.ts";
import type { Tensor } from "../tensor/index.ts";
import { producersOf } from "./needed.ts";

/** The tensors that a file holds: initializers, and `Constant` nodes, where some exporters put weights. */
export function heldTensors({ graph }: OnnxModel): ReadonlyMap<string, Tensor> {
  const constants = graph.nodes.flatMap((node) => {
    const held = node.op === "Constant" ? node.attributes.value : undefined;
    return held?.kind === "tensor" ? [[node.outputs[0]!, held.value] as const] : [];
  });
  return new Map([...graph.initializers, ...constants]);
}

/**
 * Which of a file's tensors are weights: floating-point ones of more than one element that some node computes with. Scales
 * of a `Resize`, bounds of a `Clip` and the like are settings, also where they are computed from such tensors, and running
 * statistics of a normalisation stay what they are.
 */
export function weightNames(model: OnnxModel): ReadonlySet<string> {
  const held = heldTensors(model);
  const settings = settingsIn(model.graph.nodes);
  const weights = [...held].filter(
    ([name, { dtype, data }]) => dtype.startsWith("float") && data.length > 1 && !settings.has(name),
  );
  return new Set(weights.map(([name]) => name));
}

/** Inputs that are never weights, by position, beside those that must be known before the model runs. */
const places: Readonly<Record<string, readonly number[]>> = {
  BatchNormalization: [3, 4],
  Max: [1],
  Min: [1],
  QuantizeLinear: [1, 2],
  DequantizeLinear: [1, 2],
};

/** Operators that read a value's size only, not its numbers. */
const sizes: ReadonlySet<string> = new Set(["Shape", "Size"]);

function settingsIn(nodes: readonly OnnxNode[]): ReadonlySet<string> {
  const producers = producersOf(nodes);
  const settings = new Set<string>();
  for (const { op, domain, inputs } of nodes) {
    const known = (factsOf(op, domain).operands ?? []).map(({ input }) => input);
    for (const place of places[op] ?? []) settings.add(inputs[place] ?? "");
    const open = known.flatMap((place) => inputs[place] || []);
    for (let name = open.pop(); name !== undefined; name = open.pop()) {
      if (settings.has(name)) continue;
      settings.add(name);
      const producer = producers.get(name);
      if (producer && !sizes.has(producer.op)) open.push(...producer.inputs);
    }
  }
  return settings;
}
