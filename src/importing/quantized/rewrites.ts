import { OnnxError, type OnnxNode } from "../../onnx/index.ts";
import type { Tensor } from "../../tensor/index.ts";
import { dtypeOfElementType } from "../../tensor/index.ts";
import { describe } from "../describe.ts";
import { dequantized, numbersIn, requantized } from "./dequantize.ts";
import { dynamicQuantizeLinear, integerProduct } from "./dynamic.ts";
import { fusedRewrites } from "./fused.ts";
import { rangeOf } from "./meaning.ts";
import type { Writer } from "./writer.ts";

/** Writes what a quantised node computes on floats. */
export type Rewrite = (node: OnnxNode, writer: Writer) => void;

/** Rewrites an operator with two quantised operands. Each is followed by its scale and zero point; those of the result come last. */
const binary =
  (op: string): Rewrite =>
  (node, writer) => {
    const result = writer.emit.node(op, [writer.operand(node, 0), writer.operand(node, 3)]);
    writer.quantized(node, result, 6);
  };

/** Rewrites an operator with one quantised operand. Its scale and zero point follow, then the result's. */
const unary =
  (op: string, attributes: readonly string[] = []): Rewrite =>
  (node, writer) => {
    const kept = Object.entries(node.attributes).filter(([name]) => attributes.includes(name));
    const result = writer.emit.node(op, [writer.operand(node, 0)], Object.fromEntries(kept));
    writer.quantized(node, result, 3);
  };

/** Rewrites a product with an int32 bias. The bias has the product of both operands' scales. */
function product(op: string, node: OnnxNode, writer: Writer, weightAxis: number, bias: number, factor = 1): string {
  const inputs = [writer.operand(node, 0), writer.operand(node, 3, 4, weightAxis)];
  const name = node.inputs[bias];
  if (name) {
    const scale = scaledBy(writer.setting(node, 4), Number(writer.setting(node, 1).data[0]) * factor);
    const tensor = writer.file.held(name);
    if (!tensor) throw new OnnxError(`${op}: a bias (input ${bias}) that is computed and must be constant`);
    inputs.push(writer.numbers.weight(name, { scale, zeroPoint: undefined, axis: -1 }));
  }
  return writer.emit.node(op, inputs, node.attributes);
}

const int = (node: OnnxNode, name: string, fallback: number): number => {
  const attribute = node.attributes[name];
  return attribute?.kind === "int" ? attribute.value : fallback;
};

const quantizeLinear: Rewrite = (node, writer) => {
  const [x, scale, zeroPoint] = node.inputs as [string, string, string?];
  const along = int(node, "axis", 1);
  const block = int(node, "block_size", 0);
  const stated = dtypeOfElementType(int(node, "output_dtype", 0));
  const dtype = stated ?? writer.file.dtypeOf(zeroPoint) ?? "uint8";
  const tensor = writer.file.held(x);
  const range = rangeOf(dtype);
  if (!tensor || !range || !writer.file.held(scale) || (zeroPoint && !writer.file.held(zeroPoint))) {
    if (block) throw new OnnxError(`${describe(node)}: activations quantised by blocks are not supported`);
    return writer.quantized(node, x, 1, { axis: along, dtype });
  }
  // Weights that the file quantises at run time.
  const rounded = requantized(tensor, { ...writer.quantization(node, 1, along), block }, range);
  const float = writer.emit.tensor(`${node.outputs[0]}_float32`, rounded);
  writer.mean(node, node.outputs[0]!, { float, scale, zeroPoint: zeroPoint || undefined, axis: along, dtype });
};

const dequantizeLinear: Rewrite = (node, writer) => {
  const along = int(node, "axis", 1);
  const block = int(node, "block_size", 0);
  const [y] = node.outputs as [string];
  const tensor = writer.file.held(node.inputs[0]);
  if (tensor && writer.file.held(node.inputs[1])) {
    writer.emit.tensors.set(y, dequantized(tensor, { ...writer.quantization(node, 1, along), block }));
    return;
  }
  // Weights that the file quantises in blocks keep their values.
  const meaning = writer.meaning(node.inputs[0]);
  const isSame = meaning && writer.isMeant(meaning, node.inputs[1]!, node.inputs[2] || undefined, along);
  if (block && !isSame) throw new OnnxError(`${describe(node)}: activations quantised by blocks are not supported`);
  writer.emit.node("Identity", [writer.operand(node, 0, 1, along)], {}, y);
};

export const rewrites: Readonly<Record<string, Rewrite>> = {
  QuantizeLinear: quantizeLinear,
  DequantizeLinear: dequantizeLinear,
  // Before opset 21, files hold 16-bit integers in this form.
  "com.microsoft:QuantizeLinear": quantizeLinear,
  "com.microsoft:DequantizeLinear": dequantizeLinear,
  DynamicQuantizeLinear: dynamicQuantizeLinear,
  MatMulInteger: integerProduct("MatMul", [-2, -1]),
  ConvInteger: integerProduct("Conv", [1, 0]),
  QLinearMatMul: (node, writer) => {
    const result = writer.emit.node("MatMul", [writer.operand(node, 0, 1, -2), writer.operand(node, 3, 4, -1)]);
    writer.quantized(node, result, 6);
  },
  QLinearConv: (node, writer) => writer.quantized(node, product("Conv", node, writer, 0, 8), 6),
  "com.microsoft:QGemm": (node, writer) => {
    const { alpha, transB } = node.attributes;
    const result = product("Gemm", node, writer, transB?.value ? 0 : 1, 6, Number(alpha?.value ?? 1));
    if (node.inputs[7]) writer.quantized(node, result, 7);
    else writer.emit.node("Identity", [result], {}, node.outputs[0]);
  },
  "com.microsoft:QLinearAdd": binary("Add"),
  "com.microsoft:QLinearMul": binary("Mul"),
  "com.microsoft:QLinearSigmoid": unary("Sigmoid"),
  "com.microsoft:QLinearLeakyRelu": unary("LeakyRelu", ["alpha"]),
  "com.microsoft:QLinearGlobalAveragePool": unary("GlobalAveragePool"),
  "com.microsoft:QLinearAveragePool": unary("AveragePool", [
    ...["auto_pad", "ceil_mode", "count_include_pad", "kernel_shape", "pads", "strides"],
  ]),
  "com.microsoft:QLinearSoftmax": (node, writer) => {
    const kept = { axis: { kind: "int", value: int(node, "axis", -1) } as const };
    writer.quantized(node, writer.emit.node("Softmax", [writer.operand(node, 0)], kept), 3);
  },
  ...fusedRewrites,
  "com.microsoft:QLinearConcat": (node, writer) => {
    const places = node.inputs.flatMap((_, i) => (i >= 2 && (i - 2) % 3 === 0 ? [i] : []));
    const operands = places.map((place) => writer.operand(node, place));
    writer.quantized(node, writer.emit.node("Concat", operands, node.attributes), 0);
  },
};

function scaledBy(scales: Tensor, factor: number): Tensor<"float32"> {
  return {
    dtype: "float32",
    shape: scales.shape,
    data: Float32Array.from(numbersIn(scales), (scale) => scale * factor),
  };
}
