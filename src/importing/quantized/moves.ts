import { OnnxError, type OnnxNode, scalarTensor } from "../../onnx/index.ts";
import { elementCount } from "../../tensor/index.ts";
import { describe } from "../describe.ts";
import { numbersIn } from "./dequantize.ts";
import type { Meaning } from "./meaning.ts";
import type { Rewrite } from "./rewrites.ts";
import type { Writer } from "./writer.ts";

/** Operators that move integers, take the largest or mix them. Outputs keep the inputs' scale and zero point. */
const moves = (
  "DepthToSpace Expand Flatten Gather GatherElements GatherND Identity MaxPool Reshape Resize Slice SpaceToDepth Split Squeeze " +
  "Tile Transpose Unsqueeze Upsample"
).split(" ");

/** Whether a move moves the input at this position. Its other inputs are shapes and indices. */
export const isMoved = ({ op }: OnnxNode, place: number): boolean => place === 0 || op === "Concat";

/** Rewrites a move of a quantised value to move its float. A move of plain integers stays as it is. */
const move: Rewrite = (node, writer) => {
  const meaning = meaningOf(node, writer);
  if (meaning && node.attributes.coordinate_transformation_mode?.value === "tf_crop_and_resize")
    throw new OnnxError(`${describe(node)}: what it puts around a quantised value is not supported`);
  if (meaning) moved(node, writer, meaning, [meaning.float, ...node.inputs.slice(1)]);
  else writer.emit.nodes.push(node);
};

const concat: Rewrite = (node, writer) => {
  const meanings = node.inputs.map((name) => writer.meaning(name));
  if (meanings.every((meaning) => !meaning)) {
    writer.emit.nodes.push(node);
    return;
  }
  const meaning = meaningOf(node, writer);
  const isOne = meanings.every(
    (other) => meaning && other && same(writer, meaning, other) && meaning.dtype === other.dtype,
  );
  if (!meaning || !isOne)
    throw new OnnxError(`${describe(node)}: it joins values that are quantised in different ways`);
  const floats = meanings.map((other) => other!.float);
  moved(node, writer, meaning, floats);
};

/** Pads integers with an integer. */
const pad: Rewrite = (node, writer) => {
  const meaning = meaningOf(node, writer);
  if (!meaning) {
    writer.emit.nodes.push(node);
    return;
  }
  const [scale, zeroPoint] = [writer.numbers.held(meaning.scale), writer.numbers.held(meaning.zeroPoint)];
  const given = writer.numbers.held(node.inputs[2]);
  const isKnown = scale && (zeroPoint || !meaning.zeroPoint) && (given || !node.inputs[2]);
  if (!isKnown) throw new OnnxError(`${describe(node)}: what it puts around a quantised value must be constant`);
  const [value = 0] = given ? numbersIn(given) : [];
  const float = (value - (zeroPoint ? numbersIn(zeroPoint)[0]! : 0)) * numbersIn(scale)[0]!;
  const border = writer.emit.tensor("border_float32", scalarTensor("float32", float));
  moved(node, writer, meaning, [meaning.float, node.inputs[1]!, border, ...node.inputs.slice(3)]);
};

function meaningOf(node: OnnxNode, writer: Writer): Meaning | undefined {
  const meaning = writer.meaning(node.inputs[0]);
  const scale = writer.numbers.held(meaning?.scale);
  if (scale && elementCount(scale.shape) > 1)
    throw new OnnxError(`${describe(node)}: it moves a value that is quantised by channel, which is not supported`);
  return meaning;
}

const same = ({ numbers }: Writer, one: Meaning, other: Meaning): boolean =>
  numbers.isSame(one.scale, other.scale) && numbers.isSame(one.zeroPoint, other.zeroPoint);

/** Writes the node on floats. All outputs that are parts of its input have that input's meaning. */
function moved(node: OnnxNode, writer: Writer, meaning: Meaning, inputs: readonly string[]): void {
  const isPart = (i: number): boolean => node.op === "Split" || i === 0;
  const outputs = node.outputs.map((name, i) => (name && isPart(i) ? writer.emit.fresh(`${name}_float32`) : name));
  writer.emit.nodes.push({ ...node, inputs, outputs });
  node.outputs.forEach((name, i) => {
    if (name && isPart(i)) writer.mean(node, name, { ...meaning, float: outputs[i]! });
  });
}

export const moveRewrites: Readonly<Record<string, Rewrite>> = {
  ...Object.fromEntries(moves.map((op) => [op, move])),
  Concat: concat,
  Pad: pad,
};
