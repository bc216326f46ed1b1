import { NEWEST_OPSET, OnnxError, type OnnxGraph, type OnnxModel, type OnnxNode } from "../../onnx/index.ts";
import { describe } from "../describe.ts";
import { checkHonoured, operatorName } from "../honoured/check.ts";
import { namesRead, neededNodes } from "../needed.ts";
import { castsToFloat, integerProducts } from "./absorbed.ts";
import { isMoved, moveRewrites } from "./moves.ts";
import { type Rewrite, rewrites } from "./rewrites.ts";
import { type Knows, Writer } from "./writer.ts";

/**
 * A quantised model as one of float32: weights as the numbers that their integers stand for, activations not rounded, but
 * saturated where the integers end (quantisers leave out Relu and Clip for that). Of graphs with `QuantizeLinear` and
 * `DequantizeLinear`, with `QLinear...` operators, and of those that quantise activations as they come (`DynamicQuantizeLinear`,
 * `MatMulInteger`, `ConvInteger`). Integers that the model takes, gives, or computes with otherwise, are integers here, too.
 *
 * @returns undefined for a model that is not quantised
 * @throws OnnxError when it is quantised in a way that is not known here
 */
export function floatModel(model: OnnxModel): OnnxModel | undefined {
  const { graph, opsets } = model;
  const opset = opsets.get("") ?? NEWEST_OPSET;
  refuseWithin(graph);
  if (!graph.nodes.some(isQuantized)) return undefined;
  const writer = new Writer(model, knows);
  const read = namesRead(graph.nodes);
  const outputs = new Set(graph.outputs.map(({ name }) => name));
  // In an order in which the meaning of a value is known before it is read.
  for (const node of neededNodes(graph, [...writer.file.producers.keys()])) {
    if (isQuantized(node)) checkHonoured(node, (name) => read.has(name) || outputs.has(name), opset);
    rewrite(node, writer);
  }
  const { nodes, tensors } = writer.emit;
  const added = new Map([...graph.initializers, ...tensors]);
  const used = new Set([...namesRead(nodes), ...outputs]);
  const initializers = new Map([...added].filter(([name]) => used.has(name)));
  // Files of old format versions list their initializers among the inputs. Removed initializers are no inputs.
  const inputs = graph.inputs.filter(({ name }) => initializers.has(name) || !graph.initializers.has(name));
  return { ...model, graph: { ...graph, nodes, inputs, initializers, valueInfo: [] } };
}

const isQuantized = (node: OnnxNode): boolean => rewriteOf(node) !== undefined;

function rewriteOf(node: OnnxNode): Rewrite | undefined {
  const name = operatorName(node);
  return Object.hasOwn(rewrites, name) ? rewrites[name] : undefined;
}

function rewrite(node: OnnxNode, writer: Writer): void {
  const { emit } = writer;
  const scaled = writer.absorbed.operandOf(node);
  const product = castProduct(node, writer);
  if (scaled !== undefined) emit.node("Identity", [scaled], {}, node.outputs[0]);
  else if (product) emit.node("Identity", [product], {}, node.outputs[0]);
  else (rewriteOf(node) ?? moveOf(node) ?? keep)(node, writer);
}

const moveOf = ({ op, domain }: OnnxNode): Rewrite | undefined =>
  domain === "" && Object.hasOwn(moveRewrites, op) ? moveRewrites[op] : undefined;

const keep: Rewrite = (node, writer) => {
  writer.emit.nodes.push(node);
};

/** The product of integers behind a node that casts it to a float. It is a float already. */
function castProduct(node: OnnxNode, writer: Writer): string | undefined {
  return castsToFloat(node) && isProduct(node.inputs[0]!, writer.file.producers)
    ? writer.meaning(node.inputs[0])?.float
    : undefined;
}

const isProduct = (name: string, producers: ReadonlyMap<string, OnnxNode>): boolean =>
  integerProducts.has(producers.get(name)?.op ?? "");

/** Whether a node reads the float meaning of its input: quantised operators, moves, and casts of products of integers. */
const knows: Knows = (node, place, file) => {
  if (isQuantized(node)) return true;
  if (moveOf(node)) return isMoved(node, place);
  return castsToFloat(node) && isProduct(node.inputs[0]!, file.producers);
};

/** Branches and loops may read the integers of outer quantised values. They must not quantise values themselves. */
function refuseWithin({ nodes }: OnnxGraph): void {
  for (const node of nodes)
    for (const attribute of Object.values(node.attributes)) {
      if (attribute.kind !== "graph") continue;
      const inner = attribute.value.nodes.find(isQuantized);
      if (inner) throw new OnnxError(`${describe(inner)}: quantised within a branch or loop, which is not supported`);
      refuseWithin(attribute.value);
    }
}
