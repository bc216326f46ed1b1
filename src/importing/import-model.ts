import { Graph, GraphError, type Value } from "../graph/index.ts";
import { decodeModel, type OnnxModel, type ValueInfo } from "../onnx/index.ts";
import { float32Model } from "./float32.ts";
import { isPacked } from "./limits.ts";
import { place } from "./place.ts";
import { weightNames } from "./weights.ts";

export interface ImportOptions {
  /** Sizes of symbolic axes by their names in the file, such as `{ batch: 8 }`. */
  readonly sizes?: Readonly<Record<string, number>>;
  /** Wanted values by name: outputs, or any value between the nodes. Default: all outputs. */
  readonly outputs?: readonly string[];
}

/** A model as a graph. */
export interface ImportedModel {
  readonly graph: Graph;
  /** Inputs that the wanted outputs need, by name. */
  readonly inputs: ReadonlyMap<string, Value>;
  readonly outputs: ReadonlyMap<string, Value>;
  /** Floating-point weights by the names of their tensors: constants, with respect to which one can differentiate. */
  readonly weights: ReadonlyMap<string, Value>;
}

/**
 * An ONNX model of opset 1 to 26 as a `Graph`: its operators brought to one form, what it computes from the sizes of
 * symbolic axes done, branches and loops followed, ONNX Runtime's fused operators written out; half precision and quantised
 * weights as float32.
 *
 * @param model the bytes of a file that holds its weights, or what `decodeModel` made of one
 * @throws GraphError when an axis is symbolic and has no size, or an operator is unknown or misused
 * @throws OnnxError when the bytes are no model, or an operand that must be known before the model runs is not
 */
export function importModel(model: Uint8Array | OnnxModel, options: ImportOptions = {}): ImportedModel {
  const given = model instanceof Uint8Array ? decodeModel(model) : model;
  const { sizes = {}, outputs: wanted = given.graph.outputs.map(({ name }) => name) } = options;
  const decoded = float32Model(giving(given, wanted)).model;
  const graph = new Graph();
  // Files of old format versions list their initializers among the inputs.
  const fed = decoded.graph.inputs.filter(({ name }) => !decoded.graph.initializers.has(name));
  const inputs = new Map(
    fed.map((info) => [info.name, graph.input(info.name, info.dtype, sizesOf(info, sizes))] as const),
  );
  const names = weightNames(decoded);
  const weights = new Map<string, Value>();
  const outputs = place(decoded, graph, {
    inputs,
    wanted,
    weight: (name, tensor) => {
      if (!names.has(name)) return undefined;
      const value = graph.constant(tensor);
      weights.set(name, value);
      return value;
    },
  });
  return { graph, inputs, outputs, weights };
}

/** A model that also outputs these values. Otherwise an unread value may change its meaning in a float graph. */
function giving(model: OnnxModel, wanted: readonly string[]): OnnxModel {
  const { graph } = model;
  const given = new Set(graph.outputs.map(({ name }) => name));
  const added = wanted.filter((name) => !given.has(name));
  if (added.length === 0) return model;
  const infos = added.map((name): ValueInfo => ({ name, dtype: "float32", shape: [], unranked: true, untyped: true }));
  return { ...model, graph: { ...graph, outputs: [...graph.outputs, ...infos] } };
}

function sizesOf(
  { name, dtype, shape, unranked, untyped }: ValueInfo,
  sizes: Readonly<Record<string, number>>,
): readonly number[] {
  if (untyped) throw new GraphError(`Input ${name}: the file states no type of a tensor.`);
  if (isPacked(dtype)) throw new GraphError(`Input ${name}: ${dtype} is read in weights only.`);
  if (unranked) throw new GraphError(`Input ${name}: the file states no shape.`);
  return shape.map((size, axis) => {
    if (typeof size === "number") return size;
    const given = sizes[size];
    if (given === undefined)
      throw new GraphError(`Input ${name}: axis ${axis} is symbolic (${size || "unnamed"}); give its size.`);
    return given;
  });
}
