import type { OnnxModel, OnnxNode } from "../onnx/index.ts";
import type { Tensor } from "../onnx/tensor.ts";

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
 * of a `Resize`, bounds of a `Clip` and the like are settings, and running statistics of a normalisation stay what they
 * are.
 */
export function weightNames(model: OnnxModel): ReadonlySet<string> {
  const held = heldTensors(model);
  const settings = new Set(model.graph.nodes.flatMap(settingsOf));
  const weights = [...held].filter(
    ([name, { dtype, data }]) => dtype.startsWith("float") && data.length > 1 && !settings.has(name),
  );
  return new Set(weights.map(([name]) => name));
}

/** Inputs that are no weights, by the place they have. */
const places: Readonly<Record<string, readonly number[]>> = {
  Resize: [1, 2, 3],
  Clip: [1, 2],
  Pad: [1, 2, 3],
  Max: [1],
  Min: [1],
  BatchNormalization: [3, 4],
  QuantizeLinear: [1, 2],
  DequantizeLinear: [1, 2],
};

function settingsOf({ op, inputs }: OnnxNode): readonly string[] {
  return (places[op] ?? []).flatMap((place) => inputs[place] ?? []);
}
