import type { Node, Value } from "../graph/index.ts";
import { elementCount } from "../tensor/index.ts";
import { AutodiffError } from "./errors.ts";
import { rules } from "./rules.ts";
import { selectors } from "./singular.ts";
import { summedTo } from "./structured.ts";

/**
 * Reverse-mode differentiation: adds to the loss's graph the nodes that compute d loss / d value for every value in
 * `wrt`, and returns them in that order, each with the value's own type. Values may be inputs, constants or
 * intermediate results. Only nodes needed for these derivatives are added. A value that the loss does not depend on gets
 * zeros. The result is part of the same graph and can be differentiated again.
 *
 * @param loss a float value with a single element
 * @throws AutodiffError when the loss is no scalar, or an operator on the way has no derivative rule
 *
 * @example
 * ```ts
 * import { compile, Graph, gradients } from "lore-vision/autodiff";
 *
 * const graph = new Graph();
 * const x = graph.input("x", "float32", [8, 3]);
 * const loss = graph.reduceSum(graph.mul(x, x));
 * const [dx] = gradients(loss, [x]); // more nodes of the same graph
 * const program = await compile({ loss, dx }); // one ONNX Runtime session
 * const result = await program.run({ x: new Float32Array(24).fill(1) });
 * console.log(result.loss, result.dx);
 * ```
 */
export function gradients<const Wrt extends readonly Value[]>(
  loss: Value,
  wrt: Wrt,
): { readonly [Index in keyof Wrt]: Value } {
  if (elementCount(loss.shape) !== 1) throw new AutodiffError(`The loss must be a single number, got ${loss}.`);
  const integral = [loss, ...wrt].find((value) => !isFloat(value));
  if (integral) throw new AutodiffError(`Only floating-point values have derivatives, not ${integral}.`);
  const g = loss.graph;
  const stranger = wrt.find((value) => value.graph !== g);
  if (stranger) throw new AutodiffError(`${stranger} is not part of the loss's graph.`);

  const nodes = ancestors(loss);
  const needed = dependents(nodes, wrt);
  const cotangents = new Map<Value, Value>();
  /** Cotangents that may be 0 because an operator left a value out. */
  const masked = new Set<Value>();
  if (needed.has(loss)) cotangents.set(loss, g.expand(g.scalar(1, loss.dtype), loss.shape));

  for (const node of nodes.reverse()) {
    const dys = node.outputs.map((output) => cotangents.get(output));
    if (dys.every((dy) => dy === undefined) || !node.inputs.some((input) => needed.has(input))) continue;
    const rule = rules[node.op];
    if (!rule) throw new AutodiffError(`No derivative rule for operator ${node.op}, ${path(node, loss, needed)}.`);
    const other = dys.findIndex((dy, i) => i > 0 && dy !== undefined);
    if (other > 0 && node.op !== "Split") {
      const which = `${node.outputs[other]}, ${path(node, loss, needed)}`;
      throw new AutodiffError(`${node.op}: only its first output can be differentiated, but the loss uses ${which}.`);
    }
    const dy = dys.find((cotangent) => cotangent !== undefined)!;
    const isMasked = dys.some((cotangent) => cotangent && masked.has(cotangent));
    const pullbacks = rule({
      ...{ g, x: node.inputs, y: node.outputs[0]!, dy, ys: node.outputs, dys },
      ...{ masked: isMasked, a: node.attributes },
    });
    node.inputs.forEach((input, i) => {
      const pullback = pullbacks[i];
      if (!needed.has(input) || !pullback) return;
      const dx = summedTo(g, pullback(), input.shape);
      const sum = cotangents.get(input);
      const total = sum ? g.add(sum, dx) : dx;
      cotangents.set(input, total);
      if (isMasked || selectors.has(node.op) || (sum && masked.has(sum))) masked.add(total);
    });
  }
  const derivatives = wrt.map((value) => cotangents.get(value) ?? g.zeros(value.dtype, value.shape));
  return derivatives as unknown as { readonly [Index in keyof Wrt]: Value };
}

const isFloat = ({ dtype }: Value): boolean => dtype.startsWith("float");

/** All nodes that the value depends on, in topological order. */
function ancestors(value: Value): Node[] {
  const seen = new Set<Node>();
  const stack = [value];
  while (stack.length > 0) {
    const { origin } = stack.pop()!;
    if (origin.kind !== "node" || seen.has(origin.node)) continue;
    seen.add(origin.node);
    stack.push(...origin.node.inputs);
  }
  return [...seen].sort((a, b) => a.id - b.id);
}

/** The floating-point values among the nodes' edges through which some value of `wrt` reaches the loss. */
function dependents(nodes: readonly Node[], wrt: readonly Value[]): ReadonlySet<Value> {
  const needed = new Set(wrt);
  for (const node of nodes) {
    if (!node.inputs.some((input) => needed.has(input))) continue;
    for (const output of node.outputs) if (isFloat(output)) needed.add(output);
  }
  return needed;
}

/** `on the path loss <- Mul <- LayerNormalization <- x`: from the loss through the node to a variable. */
function path(node: Node, loss: Value, needed: ReadonlySet<Value>): string {
  const downwards: string[] = [];
  for (let value = node.inputs.find((input) => needed.has(input)); value; ) {
    const { origin }: Value = value;
    downwards.push(origin.kind === "node" ? origin.node.op : value.name);
    value = origin.kind === "node" ? origin.node.inputs.find((input) => needed.has(input)) : undefined;
  }
  return `on the path ${[...upwards(node, loss), node.op, ...downwards].join(" <- ")}`;
}

function upwards(node: Node, loss: Value): readonly string[] {
  const queue: { value: Value; trail: readonly string[] }[] = [{ value: loss, trail: [loss.name] }];
  const seen = new Set<Node>();
  for (let next = queue.shift(); next; next = queue.shift()) {
    const { origin } = next.value;
    if (origin.kind !== "node" || seen.has(origin.node)) continue;
    if (origin.node === node) return next.trail;
    seen.add(origin.node);
    for (const value of origin.node.inputs) queue.push({ value, trail: [...next.trail, origin.node.op] });
  }
  return [loss.name];
}
