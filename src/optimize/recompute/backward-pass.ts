import type { Node, Outputs, Value } from "../../graph/index.ts";
import { reachable } from "../../graph/index.ts";

/** Nodes that the outputs need, in topological order: cotangents before the values that they are multiplied by. */
export interface Passes {
  /** Nodes that the loss depends on. */
  readonly forward: readonly Node[];
  readonly backward: readonly Node[];
  /** Values that the backward pass reads. */
  readonly read: ReadonlySet<Value>;
}

/** Values that a backward pass recomputes instead of reading them. */
export interface Plan {
  /** Values that are kept, for the rest to be computed from. */
  readonly kept: ReadonlySet<Value>;
  /** Values that are computed again, grouped by the moment at which that starts. A group may hold what it is computed from. */
  readonly groups: readonly (readonly Value[])[];
}

export function passesOf(outputs: Outputs, loss: Value): Passes {
  const { nodes } = reachable(Object.values(outputs));
  const ancestors = new Set(reachable([loss]).nodes);
  const forward = nodes.filter((node) => ancestors.has(node));
  const backward = nodes.filter((node) => !ancestors.has(node));
  return { forward, backward, read: new Set(backward.flatMap(({ inputs }) => inputs)) };
}

/**
 * Rebuilds the outputs with a backward pass that recomputes the values of the plan's groups instead of reading them.
 * Values that it reads before any of its own results can mark its progress are kept.
 *
 * Equal applications in a graph are one node, for ONNX Runtime too. It could also run a second forward pass as soon as
 * the first is done. So the sources of recomputed values are made to depend on the backward pass's progress: a zero that
 * is known only then is subtracted from them. Results are the same to the last bit.
 *
 * @param outputs values that depend on the loss's derivatives
 * @param loss what was differentiated; everything it depends on is the forward pass
 */
export function withBackwardPass<const Named extends Outputs>(
  outputs: Named,
  loss: Value,
  plan: (passes: Passes) => Plan,
): { readonly [Name in keyof Named]: Value } {
  const passes = passesOf(outputs, loss);
  const pass = new BackwardPass(passes.forward, plan(passes));
  for (const node of passes.backward) pass.add(node);
  return Object.fromEntries(Object.entries(outputs).map(([name, value]) => [name, pass.now(value)])) as {
    readonly [Name in keyof Named]: Value;
  };
}

/** A backward pass as it is made again, node by node. */
class BackwardPass {
  readonly #again = new Map<Value, Again>();
  /** Replacements of the outputs of the old backward pass. */
  readonly #made = new Map<Value, Value>();
  /** Values that depend on those that are kept: on the input, that is, and not on weights alone. */
  readonly #flowing: Set<Value>;
  /** The last such value made: it marks the backward pass's progress. */
  #latest: Value | undefined;

  constructor(forward: readonly Node[], { kept, groups }: Plan) {
    for (const group of groups) {
      const again = new Again(kept);
      for (const value of group) this.#again.set(value, again);
    }
    this.#flowing = new Set(kept);
    for (const node of forward) this.#flow(node);
  }

  add(node: Node): void {
    const inputs = node.inputs.map((input) => this.now(input));
    const changed = inputs.some((input, i) => input !== node.inputs[i]);
    const outputs = changed ? inputs[0]!.graph.apply(node.op, inputs, node.attributes) : node.outputs;
    for (const [i, output] of node.outputs.entries()) this.#made.set(output, outputs[i]!);
    if (this.#flow(node) && isFloat(outputs[0]!)) this.#latest = outputs[0]!;
  }

  now(value: Value): Value {
    return this.#made.get(value) ?? this.#again.get(value)?.now(value, this.#latest) ?? value;
  }

  #flow({ inputs, outputs }: Node): boolean {
    const flows = inputs.some((input) => this.#flowing.has(input));
    if (flows) for (const output of outputs) this.#flowing.add(output);
    return flows;
  }
}

/** A part of the forward pass that is recomputed on demand. */
class Again {
  readonly #made = new Map<Value, Value>();
  readonly #kept: ReadonlySet<Value>;
  #zero: Value | undefined;

  constructor(kept: ReadonlySet<Value>) {
    this.#kept = kept;
  }

  /** @param after what the first value that is asked for waits for; where that is nothing, the old ones are kept */
  now(value: Value, after: Value | undefined): Value {
    if (!this.#zero && !after) return value;
    this.#zero ??= zeroAfter(after!);
    return this.#again(value, this.#zero);
  }

  #again(value: Value, zero: Value): Value {
    const known = this.#made.get(value);
    if (known) return known;
    const { graph: g, origin } = value;
    if (this.#kept.has(value)) this.#made.set(value, isFloat(value) ? g.sub(value, g.cast(zero, value.dtype)) : value);
    else if (origin.kind === "node") {
      const { op, inputs, attributes, outputs } = origin.node;
      const copies = g.apply(
        op,
        inputs.map((input) => this.#again(input, zero)),
        attributes,
      );
      for (const [i, output] of outputs.entries()) this.#made.set(output, copies[i]!);
    }
    return this.#made.get(value) ?? value;
  }
}

/** 0, whatever the value holds, infinities and NaN too. x - 0 is x for every x; x + 0 is not, for -0. */
function zeroAfter(value: Value): Value {
  const { graph: g } = value;
  const axes = value.shape.map((_, axis) => axis);
  const first =
    axes.length === 0 ? value : g.slice(value, { starts: axes.map(() => 0), ends: axes.map(() => 1), axes });
  return g.cast(g.greater(g.reshape(first, []), Number.POSITIVE_INFINITY), "float32");
}

const isFloat = ({ dtype }: Value): boolean => dtype.startsWith("float");
