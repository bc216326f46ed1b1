import { scalarTensor } from "../../onnx/index.ts";
import { elementTypeOf } from "../../tensor/index.ts";
import { int } from "./emitter.ts";
import type { Rewrite } from "./rewrites.ts";

/**
 * Dynamic quantisation of activations. If only products read the integers, scale and zero point, the activation is its own
 * integer, with a scale of 1 and a zero point of 0.
 */
export const dynamicQuantizeLinear: Rewrite = (node, writer) => {
  const { emit } = writer;
  const [x] = node.inputs as [string];
  const [y, scale = "", zeroPoint = ""] = node.outputs as [string, string?, string?];
  if (writer.absorbed.serves(node)) {
    emit.tensors.set(scale, scalarTensor("float32", 1));
    emit.tensors.set(zeroPoint, scalarTensor("uint8", 0));
    writer.mean(node, y, { float: x, scale, zeroPoint, axis: 1, dtype: "uint8" });
    return;
  }
  const zero = emit.scalar(0);
  const all = { keepdims: int(0) };
  const low = emit.node("Min", [emit.node("ReduceMin", [x], all), zero]);
  const high = emit.node("Max", [emit.node("ReduceMax", [x], all), zero]);
  const step = emit.node("Div", [emit.node("Sub", [high, low]), emit.scalar(255)]);
  // A constant 0 is quantised by a scale of 1.
  const isFlat = emit.node("Equal", [step, zero]);
  const scaleName = emit.node("Where", [isFlat, emit.scalar(1), step], {}, scale || undefined);
  const offset = emit.node("Round", [emit.node("Div", [emit.node("Sub", [zero, low]), scaleName])]);
  const zeroName = emit.node("Cast", [offset], { to: int(elementTypeOf("uint8")) }, zeroPoint || undefined);
  const settings = { scale: scaleName, zeroPoint: zeroName, axis: 1, dtype: "uint8" as const };
  const float = writer.numbers.saturated(node, x, settings, emit.fresh(`${y}_float32`));
  writer.mean(node, y, { ...settings, float });
};

/**
 * `MatMulInteger` and `ConvInteger`.
 *
 * @param axes of the operands' zero points, where there are several
 */
export const integerProduct =
  (op: string, axes: readonly [left: number, right: number]): Rewrite =>
  (node, writer) => {
    const { emit, file, numbers } = writer;
    const left = writer.centred(node, 0, 2, axes[0]);
    const held = file.held(node.inputs[1]);
    const zeroPoint = node.inputs[3] || undefined;
    const scale = held && (!zeroPoint || file.held(zeroPoint)) ? writer.absorbed.scaleOf(node) : undefined;
    const right = scale
      ? numbers.weight(node.inputs[1]!, { scale, zeroPoint: file.held(zeroPoint), axis: axes[1] })
      : writer.centred(node, 1, 3, axes[1]);
    const [output] = node.outputs as [string];
    const float = emit.node(op, [left, right], node.attributes, emit.fresh(`${output}_float32`));
    writer.mean(node, output, {
      ...{ float, scale: emit.scalar(1), zeroPoint: undefined, axis: 1, dtype: "int32" },
    });
  };
