import { OnnxError, type OnnxNode } from "../../onnx/index.ts";
import type { Tensor } from "../../tensor/index.ts";
import { describe } from "../describe.ts";
import { numbersIn } from "./dequantize.ts";
import type { Rewrite } from "./rewrites.ts";
import type { Writer } from "./writer.ts";

/**
 * ONNX Runtime's own operators that take quantised weights and give floats.
 * Source: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
 */
export const fusedRewrites: Readonly<Record<string, Rewrite>> = {
  "com.microsoft:MatMulNBits": (node, writer) => {
    const [x, weight, scales, zeroPoints, , bias] = node.inputs as [string, string, string, string?, string?, string?];
    const [blocks, steps, zeros] = [weight, scales, zeroPoints].map((name, place) => {
      const tensor = writer.file.held(name);
      if (name && !tensor)
        throw new OnnxError(`${describe(node)}: input ${place + 1} is computed and must be constant`);
      return tensor;
    });
    const matrix = writer.emit.once(`bits ${weight} ${scales} ${zeroPoints}`, () =>
      writer.emit.tensor(`${weight}_float32`, unpacked(node, blocks!, steps!, zeros)),
    );
    withBias(node, writer, writer.emit.node("MatMul", [x, matrix], {}, bias ? undefined : node.outputs[0]), bias);
  },
  "com.microsoft:DynamicQuantizeMatMul": (node, writer) => {
    const [x, , , , bias] = node.inputs as [string, string, string, string?, string?];
    const weight = writer.operand(node, 1, 2, -1);
    withBias(node, writer, writer.emit.node("MatMul", [x, weight], {}, bias ? undefined : node.outputs[0]), bias);
  },
  "com.microsoft:MatMulIntegerToFloat": (node, writer) => {
    const [a, b, aScale, bScale, aZero = "", bZero = "", bias] = node.inputs as [
      string,
      string,
      string,
      string,
      ...string[],
    ];
    const ordered = { ...node, inputs: [a, aScale, aZero, b, bScale, bZero] };
    const operands = [writer.operand(ordered, 0, 1, -2), writer.operand(ordered, 3, 4, -1)];
    withBias(node, writer, writer.emit.node("MatMul", operands, {}, bias ? undefined : node.outputs[0]), bias);
  },
  "com.microsoft:QAttention": (node, writer) => {
    const [x, weight, bias, scale, weightScale, mask = "", zero = "", weightZero = "", past = ""] = node.inputs as [
      ...[string, string, string, string, string],
      ...string[],
    ];
    const ordered = { ...node, inputs: [x, scale, zero, weight, weightScale, weightZero] };
    const inputs = [writer.operand(ordered, 0), writer.operand(ordered, 3, 4, -1), bias, mask, past];
    while (inputs.at(-1) === "") inputs.pop();
    writer.emit.nodes.push({ ...node, op: "Attention", inputs });
  },
};

function withBias(node: OnnxNode, { emit }: Writer, product: string, bias: string | undefined): void {
  if (bias) emit.node("Add", [product, bias], {}, node.outputs[0]);
}

/**
 * The matrix [K, N] of a packed one: for each of its N columns, blocks of `block_size` integers of `bits` each, the first in the
 * lowest bits, a scale a block, and a zero point a block, packed alike or as floats; half the range where none is given.
 */
function unpacked(node: OnnxNode, packed: Tensor, scales: Tensor, zeroPoints: Tensor | undefined): Tensor<"float32"> {
  const [rows, columns, bits, size] = ["K", "N", "bits", "block_size"].map((name) => {
    const attribute = node.attributes[name];
    return attribute?.kind === "int" ? attribute.value : name === "bits" ? 4 : 0;
  }) as [number, number, number, number];
  const count = Math.ceil(rows / size);
  const blob = (size * bits) / 8;
  const steps = numbersIn(scales);
  const fits =
    [2, 4, 8].includes(bits) && packed.data.length === columns * count * blob && steps.length === columns * count;
  if (!fits)
    throw new OnnxError(
      `${describe(node)}: ${packed.dtype}[${packed.shape}] with ${steps.length} scales is no matrix of ${rows} x ${columns} in ` +
        `${bits} bits by blocks of ${size}`,
    );
  const integer = (bytes: ArrayLike<number | bigint>, from: number, at: number): number =>
    (Number(bytes[from + Math.floor((at * bits) / 8)]) >> ((at * bits) % 8)) & (2 ** bits - 1);
  const zeros = zeroPoints && numbersIn(zeroPoints);
  const zeroRow = Math.ceil((count * bits) / 8);
  const zeroOf = (column: number, block: number): number => {
    if (!zeros) return 2 ** (bits - 1);
    if (zeroPoints.dtype !== "uint8") return zeros[column * count + block]!;
    return integer(zeros, column * zeroRow, block);
  };
  const data = new Float32Array(rows * columns);
  for (let column = 0; column < columns; column++)
    for (let row = 0; row < rows; row++) {
      const block = Math.floor(row / size);
      const from = (column * count + block) * blob;
      const value = integer(packed.data, from, row % size) - zeroOf(column, block);
      data[row * columns + column] = value * steps[column * count + block]!;
    }
  return { dtype: "float32", shape: [rows, columns], data };
}
