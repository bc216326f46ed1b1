import { type CanonicalNode, describeNode } from "./canonical.ts";
import { OnnxError } from "./errors.ts";
import type { Attributes } from "./model.ts";

/** An operator written out in terms of others, where the wanted opset lacks it. */
export interface Expansion {
  readonly applies: (node: CanonicalNode, opset: number) => boolean;
  readonly expand: (node: CanonicalNode, names: Names) => readonly CanonicalNode[];
}

interface Names {
  /** The name of a scalar constant of the type of the node's first input. */
  readonly scalar: (value: number) => string;
  readonly fresh: (hint: string) => string;
}

/** Collects nodes; each call gives the name of its result, the last one writes to the expanded node's own output. */
class Steps {
  readonly nodes: CanonicalNode[] = [];
  readonly #fresh: (hint: string) => string;

  constructor(fresh: (hint: string) => string) {
    this.#fresh = fresh;
  }

  do(op: string, inputs: readonly string[], attributes: Attributes = {}, output = this.#fresh(op)): string {
    this.nodes.push({ op, domain: "", inputs, outputs: [output], attributes });
    return output;
  }
}

/**
 * x Φ(x), by the error function or by the tanh approximation (https://arxiv.org/abs/1606.08415). The order of operations
 * is the one that ONNX Runtime recognises and fuses.
 */
const gelu: Expansion = {
  applies: (_, opset) => opset < 20,
  expand: (node, { scalar, fresh }) => {
    const [x] = node.inputs as [string];
    const steps = new Steps(fresh);
    const half = (value: string) => steps.do("Mul", [value, scalar(0.5)], {}, node.outputs[0]);
    if (node.attributes.approximate !== "tanh") {
      const erf = steps.do("Erf", [steps.do("Div", [x, scalar(Math.SQRT2)])]);
      half(steps.do("Mul", [x, steps.do("Add", [erf, scalar(1)])]));
      return steps.nodes;
    }
    const cube = steps.do("Mul", [x, steps.do("Mul", [x, x])]);
    const inner = steps.do("Add", [x, steps.do("Mul", [cube, scalar(0.044715)])]);
    const tanh = steps.do("Tanh", [steps.do("Mul", [inner, scalar(Math.sqrt(2 / Math.PI))])]);
    half(steps.do("Mul", [x, steps.do("Add", [tanh, scalar(1)])]));
    return steps.nodes;
  },
};

/** x sigmoid(alpha x) */
const swish: Expansion = {
  applies: (_, opset) => opset < 24,
  expand: ({ inputs: [x], outputs, attributes: { alpha = 1 } }, { scalar, fresh }) => {
    const steps = new Steps(fresh);
    const scaled = alpha === 1 ? x! : steps.do("Mul", [x!, scalar(alpha as number)]);
    steps.do("Mul", [x!, steps.do("Sigmoid", [scaled])], {}, outputs[0]);
    return steps.nodes;
  },
};

/** (x - mean) / sqrt(variance + epsilon) * scale + bias over the last axes. */
const layerNormalization: Expansion = {
  applies: (_, opset) => opset < 17,
  expand: (node, { scalar, fresh }) => {
    const [x, scale, bias] = node.inputs as [string, string, string?];
    const { axis = -1, epsilon = 1e-5 } = node.attributes;
    if (node.outputs.slice(1).some((name) => name !== "")) {
      throw new OnnxError(
        `${describeNode(node)}: its mean and deviation can be had from opset 17 on: choose a newer opset`,
      );
    }
    if (typeof axis !== "number" || axis >= 0 || typeof epsilon !== "number") {
      throw new OnnxError(
        `${describeNode(node)}: before opset 17 its axis must be counted from the end (negative), and it is ${axis}`,
      );
    }
    const over: Attributes = { axes: Array.from({ length: -axis }, (_, i) => axis + i), keepdims: 1 };
    const steps = new Steps(fresh);
    const centred = steps.do("Sub", [x, steps.do("ReduceMean", [x], over)]);
    const variance = steps.do("ReduceMean", [steps.do("Mul", [centred, centred])], over);
    const deviation = steps.do("Sqrt", [steps.do("Add", [variance, scalar(epsilon)])]);
    const normalized = steps.do("Div", [centred, deviation]);
    if (!bias) {
      steps.do("Mul", [normalized, scale], {}, node.outputs[0]);
    } else {
      steps.do("Add", [steps.do("Mul", [normalized, scale]), bias], {}, node.outputs[0]);
    }
    return steps.nodes;
  },
};

/** An operator over no axes at all. ONNX reads an empty list of axes as "all of them", so it cannot be written as such. */
const overNothing = (op: "Identity" | "Abs"): Expansion => ({
  applies: ({ attributes: { axes } }) => typeof axes === "object" && axes.length === 0,
  expand: (node) => [{ op, domain: "", inputs: node.inputs, outputs: node.outputs, attributes: {} }],
});

/** Expansions by operator. */
export const expansions: Readonly<Record<string, Expansion>> = {
  Gelu: gelu,
  Swish: swish,
  LayerNormalization: layerNormalization,
  ReduceSum: overNothing("Identity"),
  ReduceMean: overNothing("Identity"),
  ReduceMax: overNothing("Identity"),
  ReduceMin: overNothing("Identity"),
  ReduceProd: overNothing("Identity"),
  ReduceL1: overNothing("Abs"),
  ReduceL2: overNothing("Abs"),
  ReduceLogSumExp: overNothing("Identity"),
  Squeeze: overNothing("Identity"),
};
