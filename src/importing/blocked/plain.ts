import { Mismatch } from "../../graph/index.ts";
import { int64Tensor, OnnxError, type OnnxModel, type OnnxNode } from "../../onnx/index.ts";
import type { Tensor } from "../../tensor/index.ts";
import { describe } from "../describe.ts";
import { checkHonoured } from "../honoured/check.ts";
import { Emitter } from "../quantized/emitter.ts";
import { blockSize, plainFilter } from "./filters.ts";

const domain = "com.microsoft.nchwc";

/**
 * A model that ONNX Runtime optimised for one processor, whose channels lie in blocks, as one in ONNX's own order: filters put in
 * order, channels that fill the last block kept as such. Between convolutions such values are treated as ever, since only
 * operators that do not ask where channels lie read them.
 *
 * @returns undefined for a model that has no such operators
 * @throws OnnxError when it cannot be told how large its blocks are, or a filter is computed
 */
export function plainOrder(model: OnnxModel): OnnxModel | undefined {
  const { graph } = model;
  if (!graph.nodes.some((node) => node.domain === domain)) return undefined;
  const writer = new Writer(model);
  for (const node of graph.nodes) {
    if (node.domain !== domain) writer.emit.nodes.push(node);
    else writer.rewrite(node);
  }
  const initializers = new Map([...graph.initializers, ...writer.emit.tensors]);
  return { ...model, graph: { ...graph, nodes: writer.emit.nodes, initializers, valueInfo: [] } };
}

class Writer {
  readonly emit: Emitter;
  readonly #model: OnnxModel;
  readonly #block: number;

  constructor(model: OnnxModel) {
    const { nodes, initializers, inputs } = model.graph;
    this.#model = model;
    if ((model.opsets.get("") ?? 0) < 11)
      throw new OnnxError("the model was optimised for one processor; that is understood from opset 11 on");
    const outputs = nodes.flatMap((node) => node.outputs);
    this.emit = new Emitter([...initializers.keys(), ...inputs.map(({ name }) => name), ...outputs]);
    const filters = nodes
      .filter((node) => node.domain === domain && node.op === "Conv")
      .map((node) => this.#filter(node));
    const block = blockSize(filters);
    if (!block)
      throw new OnnxError(
        "the model was optimised for one processor, and whether its channels lie in blocks of 8 or of 16 cannot be told from " +
          "it: take the model as it was, or have ONNX Runtime save it at the optimisation level `extended`",
      );
    this.#block = block;
  }

  rewrite(node: OnnxNode): void {
    checkHonoured(node, () => true, this.#model.opsets.get("") ?? 0);
    const [x] = node.inputs as [string];
    const [y] = node.outputs as [string];
    const { channels, channels_last, scales, mode, coordinate_transformation_mode } = node.attributes;
    const isLast = channels_last?.value === 1;
    switch (node.op) {
      case "ReorderInput": {
        const first = isLast ? this.emit.node("Transpose", [x], { perm: ints(0, 3, 1, 2) }) : x;
        this.#filled(first, y);
        return;
      }
      case "ReorderOutput": {
        const bounds = [0, Number(channels?.value), 1].map((value) => this.emit.tensor("bound", int64Tensor([value])));
        const cut = this.emit.node("Slice", [x, ...bounds], {}, isLast ? undefined : y);
        if (isLast) this.emit.node("Transpose", [cut], { perm: ints(0, 2, 3, 1) }, y);
        return;
      }
      case "Conv":
        this.#convolution(node);
        return;
      case "Upsample": {
        const values = scales?.kind === "ints" ? scales.value : [];
        const tensor: Tensor = { dtype: "float32", shape: [values.length], data: Float32Array.from(values) };
        const settings = { mode: mode!, coordinate_transformation_mode: coordinate_transformation_mode! };
        const attributes = { nearest_mode: { kind: "string", value: "floor" } as const, ...settings };
        const given = Object.fromEntries(Object.entries(attributes).filter(([, value]) => value));
        this.emit.node("Resize", [x, "", this.emit.tensor("scales", tensor)], given, y);
        return;
      }
      default:
        this.emit.nodes.push({ ...node, domain: "" });
    }
  }

  /** Pads with channels of zeros until the last block is full. Their number follows from the number of channels. */
  #filled(x: string, y: string): void {
    const constant = (hint: string, ...values: number[]): string => this.emit.tensor(hint, int64Tensor(values));
    const bounds = [1, 2, 0].map((value) => constant("bound", value));
    const channels = this.emit.node("Slice", [this.emit.node("Shape", [x]), ...bounds]);
    const negative = this.emit.node("Neg", [channels]);
    const missing = this.emit.node("Mod", [negative, constant("block", this.#block)]);
    const pads = this.emit.node("Concat", [constant("before", 0, 0, 0, 0, 0), missing, constant("behind", 0, 0)], {
      axis: int(0),
    });
    this.emit.node("Pad", [x, pads], {}, y);
  }

  #convolution(node: OnnxNode): void {
    const [x, , bias, added] = node.inputs as [string, string, string?, string?];
    const group = node.attributes.group?.value;
    const { activation, activation_params, ...attributes } = node.attributes;
    const filter = told(node, () => plainFilter(this.#filter(node), this.#block, Number(group ?? 1)));
    const weight = this.emit.once(`filter ${node.inputs[1]}`, () =>
      this.emit.tensor(`${node.inputs[1]}_plain`, filter),
    );
    const fused = { ...attributes, ...(activation && { activation }), ...(activation_params && { activation_params }) };
    const inputs = [x, weight, ...(added ? [bias ?? "", added] : bias ? [bias] : [])];
    this.emit.nodes.push({ ...node, op: "FusedConv", domain: "com.microsoft", inputs, attributes: fused });
  }

  #filter(node: OnnxNode): Tensor {
    const filter = this.#model.graph.initializers.get(node.inputs[1] ?? "");
    if (!filter) throw new OnnxError(`${describe(node)}: its filter is computed and must be constant`);
    return filter;
  }
}

const int = (value: number) => ({ kind: "int", value }) as const;
const ints = (...value: readonly number[]) => ({ kind: "ints", value }) as const;

function told<T>(node: OnnxNode, action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (!(error instanceof Mismatch)) throw error;
    throw new OnnxError(`${describe(node)}: ${error.message}`, { cause: error });
  }
}
