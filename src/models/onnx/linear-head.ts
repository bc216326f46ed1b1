import { producersOf } from "../../importing/needed.ts";
import { heldTensors } from "../../importing/weights.ts";
import type { OnnxModel, OnnxNode } from "../../onnx/index.ts";
import { allocate, type Tensor } from "../../onnx/tensor.ts";
import type { LinearClassifier } from "../classifier.ts";

/** The linear layer that makes logits: which value it reads, and its weights. */
export interface LinearHead {
  readonly features: string;
  readonly classifier: LinearClassifier;
}

/** Operators behind the logits that leave their order as it is. */
const monotone: ReadonlySet<string> = new Set(["Softmax", "LogSoftmax", "Identity", "Cast"]);

/** The linear layer that an output comes from: `Gemm`, or `MatMul` with an `Add`; undefined where it is no such. */
export function linearHead(model: OnnxModel, output: string): LinearHead | undefined {
  const producers = producersOf(model.graph.nodes);
  const held = heldTensors(model);
  let node = producers.get(output);
  while (node && monotone.has(node.op)) node = producers.get(node.inputs[0]!);
  if (!node) return undefined;
  const bias = node.op === "Add" ? node.inputs.find((name) => held.has(name)) : node.inputs[2];
  const product = node.op === "Add" ? producers.get(node.inputs.find((name) => name !== bias) ?? "") : node;
  const weight = held.get(product?.inputs[1] ?? "");
  if (!product || weight?.dtype !== "float32" || weight.shape.length !== 2 || !isPlain(product)) return undefined;
  const rows = product.attributes.transB?.value ? weight : transposed(weight);
  const classes = rows.shape[0]!;
  const zero: Tensor<"float32"> = { dtype: "float32", shape: [classes], data: allocate("float32", [classes]) };
  const shift = bias === undefined ? zero : held.get(bias);
  if (shift?.dtype !== "float32" || shift.data.length !== classes) return undefined;
  return {
    features: product.inputs[0]!,
    classifier: {
      kind: "linear",
      weight: rows as Tensor<"float32">,
      bias: { ...(shift as Tensor<"float32">), shape: [classes] },
    },
  };
}

function isPlain({ op, attributes }: OnnxNode): boolean {
  if (op === "MatMul") return true;
  const { alpha, beta, transA } = attributes;
  return op === "Gemm" && (alpha?.value ?? 1) === 1 && (beta?.value ?? 1) === 1 && !transA?.value;
}

function transposed({ shape, data }: Tensor): Tensor<"float32"> {
  const [rows, columns] = shape as [number, number];
  const turned = allocate("float32", [columns, rows]);
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++) turned[j * rows + i] = data[i * columns + j] as number;
  return { dtype: "float32", shape: [columns, rows], data: turned };
}
