import type { Tensor } from "../tensor/index.ts";
import { dtypeOfElementType } from "../tensor/index.ts";
import { type CanonicalNode, checkOpset, describeNode, NEWEST_OPSET, OLDEST_OPSET } from "./canonical.ts";
import { numbersOf } from "./constants.ts";
import { OnnxError } from "./errors.ts";
import { modernized } from "./legacy.ts";
import type { AttributeValue, OnnxAttribute, OnnxNode } from "./model.ts";
import { factsOf, isListAttribute, type OperatorFacts, type StaticOperand } from "./operators.ts";

type Draft = { op: string; inputs: string[]; attributes: Record<string, AttributeValue> };

/**
 * Brings a node of an opset from 1 to 26 into canonical form. (22 to 26 only widened element types of the operators here.)
 *
 * @param constant the value of an input that is known, undefined for one that is computed.
 * @throws OnnxError when an operand that must be static is computed, or an attribute has no plain value. `Constant`
 *   has no canonical form: ask `constantValue` for its tensor first.
 */
export function canonicalize(
  given: OnnxNode,
  opset: number,
  constant: (name: string) => Tensor | undefined,
): CanonicalNode {
  const domain = given.domain === "ai.onnx" ? "" : given.domain;
  if (domain === "") checkOpset(opset, OLDEST_OPSET, NEWEST_OPSET);
  const node = domain === "" ? modernized(given, opset) : given;
  // Before opset 11, Resize was Upsample under another name.
  const op = node.op === "Resize" && opset < 11 ? "Upsample" : node.op;
  const facts = factsOf(op, domain);
  if (domain === "" && node.op === "Constant") {
    throw new OnnxError(`${describeNode(node)} is a constant and not an operation: use constantValue for its tensor`);
  }
  const draft: Draft = { op, inputs: [...node.inputs], attributes: {} };
  for (const [name, attribute] of Object.entries(node.attributes)) {
    draft.attributes[name] = plainValue(node, facts, opset, name, attribute);
  }
  const operands = (facts.operands ?? []).filter(({ since }) => opset >= (since ?? 0));
  for (const operand of operands) {
    const name = node.inputs[operand.input];
    if (name) draft.attributes[operand.attribute] = operandValue(node, operand, name, constant);
  }
  if (operands.length > 0) draft.inputs.length = Math.min(draft.inputs.length, ...operands.map(({ input }) => input));
  while (draft.inputs.at(-1) === "") draft.inputs.pop();
  draft.attributes = { ...facts.defaults, ...draft.attributes };
  if (domain === "") rewrites[op]?.(draft, node, opset);
  return { op: draft.op, domain, inputs: draft.inputs, outputs: node.outputs, attributes: draft.attributes };
}

function plainValue(
  node: OnnxNode,
  facts: OperatorFacts,
  opset: number,
  name: string,
  attribute: OnnxAttribute,
): AttributeValue {
  const where = `${describeNode(node)}: attribute ${name}`;
  const isList = attribute.kind === "ints" || attribute.kind === "floats";
  if ((isListAttribute(name) ?? isList) !== isList && attribute.kind !== "strings")
    throw new OnnxError(`${where} is ${isList ? "a list and must be one value" : "one value and must be a list"}`);
  switch (attribute.kind) {
    case "int": {
      if (name !== facts.elementType) return attribute.value;
      const dtype = dtypeOfElementType(attribute.value);
      if (dtype === undefined)
        throw new OnnxError(`${where} is element type ${attribute.value}, which is not supported`);
      return dtype;
    }
    case "string": {
      const { renamed } = facts;
      if (!renamed || name !== renamed.attribute || opset >= renamed.until) return attribute.value;
      const word = Object.entries(renamed.words).find(([, old]) => old === attribute.value);
      return word?.[0] ?? attribute.value;
    }
    case "float":
    case "ints":
    case "floats":
      return attribute.value;
    case "strings":
      if (facts.words?.includes(name)) return attribute.value.join(",");
      throw new OnnxError(`${where} holds strings, which ${node.op} is not understood with`);
    case "tensor":
    case "graph":
      throw new OnnxError(
        `${where} is of kind ${attribute.kind}, which ${node.op} cannot be differentiated or compiled with`,
      );
  }
}

function operandValue(
  node: OnnxNode,
  operand: StaticOperand,
  name: string,
  constant: (name: string) => Tensor | undefined,
): AttributeValue {
  const tensor = constant(name);
  if (tensor === undefined) {
    throw new OnnxError(
      `${describeNode(node)}: operand ${operand.attribute} (input ${operand.input}, "${name}") is computed while the model ` +
        "runs and must be constant: export the model with static shapes",
    );
  }
  const values = numbersOf(tensor);
  if (operand.type === "int64s" || operand.type === "float32s") return values;
  if (values.length !== 1) {
    throw new OnnxError(
      `${describeNode(node)}: operand ${operand.attribute} must be one number and has ${values.length}`,
    );
  }
  return values[0]!;
}

/** Conversions that the table cannot express, by operator. */
const rewrites: Readonly<Record<string, (draft: Draft, node: OnnxNode, opset: number) => void>> = {
  ...Object.fromEntries(
    ["Sum", "Mean", "Max", "Min", "Prod", "L1", "L2", "SumSquare", "LogSum", "LogSumExp"].map((kind) => [
      `Reduce${kind}`,
      canonicalizeReduction,
    ]),
  ),
  Slice: ({ attributes }) => {
    const { starts } = attributes;
    if (typeof starts !== "object") return;
    attributes.axes ??= starts.map((_, i) => i);
    attributes.steps ??= starts.map(() => 1);
  },
  // Without sizes, the parts are equal and the last one may be smaller. The operand's size gives the length.
  Split: ({ attributes }, { outputs }) => {
    delete attributes.num_outputs;
    if (attributes.split === undefined) attributes.parts = outputs.length;
  },
  Cast: ({ attributes }) => {
    delete attributes.saturate;
  },
  Resize: ({ attributes }) => {
    for (const name of ["roi", "scales", "sizes"]) {
      const value = attributes[name];
      if (typeof value === "object" && value.length === 0) delete attributes[name];
    }
  },
  Upsample: (draft) => {
    draft.op = "Resize";
    const { scales } = draft.attributes;
    const shrinks = typeof scales === "object" && scales.some((scale) => Number(scale) < 1);
    draft.attributes = {
      ...factsOf("Resize", "").defaults,
      ...draft.attributes,
      ...{ coordinate_transformation_mode: "asymmetric", nearest_mode: shrinks ? "ceil" : "floor" },
    };
  },
  // Before opset 14, the outputs that exist only in training marked training mode.
  BatchNormalization: ({ attributes }, { outputs }, opset) => {
    delete attributes.spatial;
    if (opset < 14) attributes.training_mode = Number(outputs.slice(1).some((name) => name !== ""));
  },
  Softmax: flattenedBefore13,
  LogSoftmax: flattenedBefore13,
  Hardmax: flattenedBefore13,
  RoiAlign: ({ attributes }, _, opset) => {
    if (opset < 16) attributes.coordinate_transformation_mode = "output_half_pixel";
  },
  Scatter: (draft) => {
    draft.op = "ScatterElements";
    draft.attributes = { ...factsOf("ScatterElements", "").defaults, ...draft.attributes };
  },
  Dropout: (draft, node) => {
    const { training_mode, ratio = 0.5 } = draft.attributes;
    if (training_mode && ratio !== 0)
      throw new OnnxError(`${describeNode(node)} drops values at random: export the model in evaluation mode`);
    if (!node.outputs[1]) draft.op = "Identity";
    draft.attributes = {};
  },
  // Before opset 21, it scaled groups and not channels.
  GroupNormalization: (draft, _, opset) => {
    if (opset < 21) draft.op = "GroupwiseGroupNormalization";
  },
};

/** In a file, no axes mean all axes unless `noop_with_empty_axes`; in canonical form an empty list means none. */
function canonicalizeReduction({ attributes }: Draft): void {
  const { axes, noop_with_empty_axes: noop } = attributes;
  delete attributes.noop_with_empty_axes;
  if (typeof axes === "object" && axes.length > 0) return;
  if (noop) attributes.axes = [];
  else delete attributes.axes;
}

/**
 * Before opset 13, softmax flattened all axes from `axis` on, and the default was 1. Only the operand's rank tells whether
 * that is the last axis alone. Such a node is called FlatSoftmax here.
 */
function flattenedBefore13(draft: Draft, node: OnnxNode, opset: number): void {
  const { axis } = node.attributes;
  if (opset >= 13 || axis?.value === -1) return;
  draft.op = `Flat${node.op}`;
  draft.attributes.axis = axis ? draft.attributes.axis! : 1;
}
