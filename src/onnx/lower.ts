import type { DType, Tensor } from "../tensor/index.ts";
import { elementTypeOf, isDType } from "../tensor/index.ts";
import { CANONICAL_OPSET, type CanonicalNode, checkOpset, describeNode } from "./canonical.ts";
import { ConstantPool, float32Tensor, int64Tensor, scalarTensor } from "./constants.ts";
import { OnnxError } from "./errors.ts";
import { expansions } from "./expansions.ts";
import type { AttributeValue, OnnxAttribute, OnnxNode } from "./model.ts";
import { factsOf, floatAttributes, type OperatorFacts, type StaticOperand } from "./operators.ts";

/** Nodes as a file of one opset has them, and the constants that they refer to by name. */
export interface Lowered {
  readonly nodes: readonly OnnxNode[];
  readonly constants: readonly (readonly [name: string, tensor: Tensor])[];
}

/**
 * Writes a canonical node in terms of an opset from 13 to 21.
 *
 * @param dtypeOf the element type of any of the node's inputs.
 * @param fresh makes a name that nobody uses yet out of a hint, for constants and intermediate values.
 * @throws OnnxError when the opset has no such operator or attribute.
 */
export function lower(
  node: CanonicalNode,
  opset: number,
  dtypeOf: (name: string) => DType,
  fresh: (hint: string) => string,
): Lowered {
  return lowerAll([node], opset, dtypeOf, fresh);
}

/** `lower` over many nodes that share their constants. */
export function lowerAll(
  nodes: Iterable<CanonicalNode>,
  opset: number,
  dtypeOf: (name: string) => DType,
  fresh: (hint: string) => string,
): Lowered {
  checkOpset(opset, 13, CANONICAL_OPSET);
  const context: Context = { opset, dtypeOf, fresh, pool: new ConstantPool(fresh) };
  return { nodes: [...nodes].flatMap((node) => lowerNode(node, context)), constants: context.pool.entries };
}

interface Context {
  readonly opset: number;
  readonly dtypeOf: (name: string) => DType;
  readonly fresh: (hint: string) => string;
  readonly pool: ConstantPool;
}

function lowerNode(node: CanonicalNode, context: Context): OnnxNode[] {
  const expansion = node.domain === "" ? expansions[node.op] : undefined;
  if (expansion?.applies(node, context.opset)) {
    const dtype = context.dtypeOf(node.inputs[0]!);
    const scalar = (value: number) => context.pool.name("scalar", scalarTensor(dtype, value));
    const inner: Context = { ...context, dtypeOf: () => dtype };
    return expansion.expand(node, { scalar, fresh: context.fresh }).flatMap((part) => lowerNode(part, inner));
  }
  const facts = factsOf(node.op, node.domain);
  if (context.opset < (facts.since ?? 0)) {
    throw new OnnxError(
      `${describeNode(node)} needs opset ${facts.since} and the model is written for ${context.opset}: choose a newer opset`,
    );
  }
  const inputs = [...node.inputs];
  const attributes: Record<string, OnnxAttribute> = {};
  for (const [name, value] of Object.entries(node.attributes)) {
    if (!keeps(node, facts, name, value, context.opset)) continue;
    const operand = facts.operands?.find(({ attribute }) => attribute === name);
    if (operand && context.opset >= (operand.since ?? 0)) {
      while (inputs.length <= operand.input) inputs.push("");
      inputs[operand.input] = context.pool.name(name, operandTensor(node, operand, value, context));
    } else {
      attributes[name] = lowerAttribute(node, facts, name, value, context.opset);
    }
  }
  if (node.op === "Split" && context.opset >= 18 && inputs.length === 1) {
    attributes.num_outputs = { kind: "int", value: node.outputs.length };
  }
  return [{ op: node.op, domain: node.domain, name: node.outputs[0] ?? "", inputs, outputs: node.outputs, attributes }];
}

function operandTensor(node: CanonicalNode, operand: StaticOperand, value: AttributeValue, context: Context): Tensor {
  const list = operand.type === "int64s" || operand.type === "float32s";
  if (typeof value !== (list ? "object" : "number")) {
    throw new OnnxError(
      `${describeNode(node)}: attribute ${operand.attribute} must be ${list ? "a list" : "one number"}`,
    );
  }
  const numbers = [value].flat() as readonly number[];
  switch (operand.type) {
    case "int64s":
    case "int64[1]":
      return int64Tensor(numbers);
    case "float32s":
      return float32Tensor(numbers);
    case "int64":
      return scalarTensor("int64", numbers[0]!);
    case "bool":
      return scalarTensor("bool", numbers[0]!);
    case "like input":
      return scalarTensor(context.dtypeOf(node.inputs[0]!), numbers[0]!);
  }
}

/** Does the attribute exist in this opset? One that does not, and says more than the default, makes the node unwritable. */
function keeps(node: CanonicalNode, facts: OperatorFacts, name: string, value: AttributeValue, opset: number): boolean {
  const since = facts.added?.[name] ?? 0;
  if (opset >= since) return true;
  if (value === facts.defaults?.[name]) return false;
  throw new OnnxError(
    `${describeNode(node)}: attribute ${name} = ${value} needs opset ${since} and the model is written for ${opset}`,
  );
}

function lowerAttribute(
  node: CanonicalNode,
  facts: OperatorFacts,
  name: string,
  value: AttributeValue,
  opset: number,
): OnnxAttribute {
  if (name === facts.elementType) {
    if (!isDType(value)) throw new OnnxError(`${describeNode(node)}: ${value} is not an element type`);
    return { kind: "int", value: elementTypeOf(value) };
  }
  const { renamed } = facts;
  if (typeof value === "string") {
    const old = renamed && name === renamed.attribute && opset < renamed.until ? renamed.words[value] : undefined;
    return { kind: "string", value: old ?? value };
  }
  const float = floatAttributes.has(name);
  if (typeof value === "number") return { kind: float ? "float" : "int", value };
  return { kind: float ? "floats" : "ints", value };
}
