import { scalarTensor } from "../../onnx/constants.ts";
import { OnnxError, type OnnxModel, type OnnxNode } from "../../onnx/index.ts";
import type { Tensor } from "../../onnx/tensor.ts";
import { describe } from "../describe.ts";
import { dequantized } from "./dequantize.ts";
import { Writer } from "./writer.ts";

/**
 * A quantised model as one of float32: weights as the numbers that their integers stand for, activations not rounded. Of
 * graphs with `QuantizeLinear` and `DequantizeLinear`, with `QLinear...` operators, and of those that quantise activations as
 * they come (`DynamicQuantizeLinear`, `MatMulInteger`, `ConvInteger`).
 *
 * @returns undefined for a model that is not quantised
 * @throws OnnxError when weights are computed, or quantised in a way that is not known here
 */
export function floatModel(model: OnnxModel): OnnxModel | undefined {
  if (!model.graph.nodes.some(({ op, domain }) => key(op, domain) in rewrites)) return undefined;
  const writer = new Writer(model);
  const nodes = model.graph.nodes.flatMap((node) => rewritten(node, writer));
  const added = new Map([...model.graph.initializers, ...writer.added]);
  const used = new Set([...nodes.flatMap(({ inputs }) => inputs), ...model.graph.outputs.map(({ name }) => name)]);
  const initializers = new Map([...added].filter(([name]) => used.has(name) || !model.graph.initializers.has(name)));
  return { ...model, graph: { ...model.graph, nodes, initializers, valueInfo: [] } };
}

function rewritten(node: OnnxNode, writer: Writer): readonly OnnxNode[] {
  const product = writer.absorbs(node);
  if (product !== undefined) return [standard(node, "Identity", [product])];
  return rewrites[key(node.op, node.domain)]?.(node, writer) ?? [node];
}

const key = (op: string, domain: string): string => (domain === "" ? op : `${domain}:${op}`);

type Rewrite = (node: OnnxNode, writer: Writer) => readonly OnnxNode[];

const standard = (node: OnnxNode, op: string, inputs: readonly string[], outputs = node.outputs): OnnxNode => ({
  ...node,
  ...{ op, domain: "", inputs, outputs },
});

const unchanged: Rewrite = (node) => [standard({ ...node, attributes: {} }, "Identity", [node.inputs[0]!])];

/** Operators of two quantised operands, each with its scale and zero point behind it. */
const binary =
  (op: string): Rewrite =>
  (node, writer) => [standard(node, op, [writer.operand(node, 0), writer.operand(node, 3)])];

/** Of one quantised operand; what follows are its scales and the result's. */
const unary =
  (op: string): Rewrite =>
  (node) => [standard(node, op, [node.inputs[0]!])];

/** Products of integers, whose result is an integer that is scaled behind them. */
const dynamic =
  (op: string, axis: number): Rewrite =>
  (node, writer) => {
    const weight = writer.held(node.inputs[1]);
    if (!weight) throw new OnnxError(`${describe(node)}: its weights are computed and must be constant`);
    const scale = writer.absorbedScale(node) ?? scalarTensor("float32", 1);
    const zeroPoint = node.inputs[3] ? writer.setting(node, 3) : undefined;
    const name = writer.add(node.inputs[1]!, dequantized(weight, { scale, zeroPoint, axis }));
    return [standard(node, op, [node.inputs[0]!, name])];
  };

export const rewrites: Readonly<Record<string, Rewrite>> = {
  QuantizeLinear: unchanged,
  DequantizeLinear: (node, writer) => {
    const tensor = writer.held(node.inputs[0]);
    if (!tensor && writer.isInput(node.inputs[0]!))
      throw new OnnxError(
        `${describe(node)}: the model takes quantised numbers, and derivatives need floating-point ones`,
      );
    if (!tensor) return unchanged(node, writer);
    const axis = node.attributes.axis?.kind === "int" ? node.attributes.axis.value : 1;
    writer.added.set(node.outputs[0]!, dequantized(tensor, writer.quantization(node, 1, axis)));
    return [];
  },
  DynamicQuantizeLinear: (node, writer) => {
    writer.added.set(node.outputs[1]!, scalarTensor("float32", 1));
    writer.added.set(node.outputs[2]!, scalarTensor("uint8", 0));
    return [standard(node, "Identity", node.inputs, node.outputs.slice(0, 1))];
  },
  MatMulInteger: dynamic("MatMul", -1),
  ConvInteger: dynamic("Conv", 0),
  QLinearMatMul: binary("MatMul"),
  QLinearConv: (node, writer) => {
    const inputs = [writer.operand(node, 0), writer.operand(node, 3, 4, 0)];
    const bias = writer.held(node.inputs[8]);
    if (bias) {
      const scale = scaledBy(writer.setting(node, 4), writer.setting(node, 1));
      inputs.push(writer.add(node.inputs[8]!, dequantized(bias, { scale, axis: 0 })));
    }
    return [standard(node, "Conv", inputs)];
  },
  "com.microsoft:QGemm": (node, writer) => {
    const inputs = [writer.operand(node, 0), writer.operand(node, 3, 4, node.attributes.transB?.value ? 0 : 1)];
    const bias = writer.held(node.inputs[6]);
    if (bias) {
      const scale = scaledBy(writer.setting(node, 4), writer.setting(node, 1));
      inputs.push(writer.add(node.inputs[6]!, dequantized(bias, { scale, axis: -1 })));
    }
    return [standard(node, "Gemm", inputs)];
  },
  "com.microsoft:QLinearAdd": binary("Add"),
  "com.microsoft:QLinearMul": binary("Mul"),
  "com.microsoft:QLinearSigmoid": unary("Sigmoid"),
  "com.microsoft:QLinearLeakyRelu": unary("LeakyRelu"),
  "com.microsoft:QLinearGlobalAveragePool": (node) => {
    if (node.attributes.channels_last?.value) throw new OnnxError(`${describe(node)}: channels last are not supported`);
    return [standard({ ...node, attributes: {} }, "GlobalAveragePool", [node.inputs[0]!])];
  },
  "com.microsoft:QLinearConcat": (node, writer) => {
    const places = node.inputs.flatMap((_, i) => (i >= 2 && (i - 2) % 3 === 0 ? [i] : []));
    return [
      standard(
        node,
        "Concat",
        places.map((place) => writer.operand(node, place)),
      ),
    ];
  },
};

function scaledBy(scales: Tensor, factor: Tensor): Tensor<"float32"> {
  const data = Float32Array.from(scales.data as Float32Array, (scale) => scale * Number(factor.data[0]));
  return { dtype: "float32", shape: scales.shape, data };
}
