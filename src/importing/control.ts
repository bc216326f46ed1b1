import { axisIn, mismatch, range } from "../graph/index.ts";
import type { Attributes, OnnxAttribute, OnnxGraph, OnnxNode, ValueInfo } from "../onnx/index.ts";
import { type Item, knownItem, numberItem } from "./items.ts";
import type { Known } from "./known.ts";
import { sequences } from "./sequences.ts";

/** Context for following a node's subgraphs. */
export interface Runner {
  /** Items of a subgraph's outputs, given those of its inputs. The subgraph also sees names of the graphs around it. */
  readonly run: (graph: OnnxGraph, given: readonly Item[]) => readonly Item[];
  /** The first result of an operator in canonical form. */
  readonly compute: (op: string, items: readonly Item[], attributes?: Attributes) => Item;
  /** The numbers of an item, where they are known. */
  readonly known: (item: Item) => Known | undefined;
  readonly shape: (item: Item) => readonly number[];
  readonly opset: number;
}

/** A node that is followed rather than computed; operands that are left out are undefined. */
export type Control = (
  node: OnnxNode,
  items: readonly (Item | undefined)[],
  runner: Runner,
) => readonly (Item | undefined)[];

/** Unrolls a loop, so that its derivatives are those of its steps. */
export const controls: Readonly<Record<string, Control>> = {
  // Exporters write it where the condition depends on sizes.
  If: ({ attributes }, [condition], { run, known }) => {
    const taken = condition && known(condition);
    if (!taken) mismatch("which branch is taken depends on the image, and must be known before");
    return run(subgraph(attributes, taken.values[0] ? "then_branch" : "else_branch"), []);
  },
  Loop: ({ attributes, outputs }, [count, condition, ...initial], runner) => {
    const { run, known } = runner;
    const body = subgraph(attributes, "body");
    const trips = count && numberOf(known(count), "how often it runs");
    if (!count && !condition) mismatch("it never ends: neither a count nor a condition is given");
    let goes = condition ? numberOf(known(condition), "whether it runs") !== 0 : true;
    let state = initial.map((item) => item ?? mismatch("an initial value is left out"));
    const collected: Item[][] = range(outputs.length - state.length).map(() => []);
    for (let i = 0; goes && !(trips !== undefined && i >= trips); i++) {
      const [next, ...results] = run(body, [numberItem(i), numberItem(1, "bool"), ...state]);
      state = results.slice(0, state.length);
      for (const [k, list] of collected.entries()) list.push(results[state.length + k]!);
      // ONNX Runtime asks the body even where the loop begins without a condition.
      if (!(trips !== undefined && i + 1 >= trips)) goes = numberOf(known(next!), "when it ends") !== 0;
    }
    const infos = body.outputs.slice(1 + state.length);
    return [...state, ...collected.map((items, k) => stacked(runner, items, 0) ?? emptyList(infos[k]!))];
  },
  Scan: (node, items, runner) => {
    const { attributes } = node;
    const body = subgraph(attributes, "body");
    const count = Number(attributes.num_scan_inputs?.value ?? 0);
    if (runner.opset < 9) return scannedByImage(node, items, count, runner);
    const given = items.map((item) => item ?? mismatch("an operand is left out"));
    const state = given.slice(0, given.length - count);
    const inputs = given.slice(given.length - count);
    return scanned(body, state, inputs, runner, {
      inputAxes: list(attributes.scan_input_axes),
      inputDirections: list(attributes.scan_input_directions),
      outputAxes: list(attributes.scan_output_axes),
      outputDirections: list(attributes.scan_output_directions),
    });
  },
  ...sequences,
};

interface ScanSettings {
  readonly inputAxes: readonly number[];
  /** 1 for backwards. */
  readonly inputDirections: readonly number[];
  readonly outputAxes: readonly number[];
  readonly outputDirections: readonly number[];
}

function scanned(
  body: OnnxGraph,
  initial: readonly Item[],
  inputs: readonly Item[],
  runner: Runner,
  { inputAxes, inputDirections, outputAxes, outputDirections }: ScanSettings,
): readonly Item[] {
  const axes = inputs.map((item, i) => axisIn(inputAxes[i] ?? 0, runner.shape(item).length));
  const lengths = inputs.map((item, i) => runner.shape(item)[axes[i]!]!);
  const [steps = 0] = lengths;
  if (lengths.some((length) => length !== steps)) mismatch(`what it scans is of lengths ${lengths.join(", ")}`);
  let state = initial;
  const collected: Item[][] = range(body.outputs.length - initial.length).map(() => []);
  for (const step of range(steps)) {
    const elements = inputs.map((item, i) => {
      const place = inputDirections[i] ? steps - 1 - step : step;
      return runner.compute("Gather", [item, numberItem(place)], { axis: axes[i]! });
    });
    const results = runner.run(body, [...state, ...elements]);
    state = results.slice(0, initial.length);
    for (const [k, items] of collected.entries()) items.push(results[initial.length + k]!);
  }
  const stacks = collected.map((items, k) =>
    stacked(runner, outputDirections[k] ? items.toReversed() : items, outputAxes[k] ?? 0),
  );
  return [...state, ...stacks.map((item) => item ?? mismatch("it scans nothing"))];
}

/** `Scan` of opset 8: every operand has a leading batch axis, and lengths may be given. */
function scannedByImage(
  { attributes }: OnnxNode,
  [lengths, ...items]: readonly (Item | undefined)[],
  count: number,
  runner: Runner,
): readonly Item[] {
  if (lengths) mismatch("lengths of sequences (input 0) are not supported");
  const body = subgraph(attributes, "body");
  const given = items.map((item) => item ?? mismatch("an operand is left out"));
  const images = range(runner.shape(given.at(-1) ?? mismatch("it scans nothing"))[0]!);
  const results = images.map((image) => {
    const own = given.map((item) => runner.compute("Gather", [item, numberItem(image)], { axis: 0 }));
    const settings = { inputAxes: [], inputDirections: list(attributes.directions), outputAxes: [] };
    return scanned(body, own.slice(0, own.length - count), own.slice(own.length - count), runner, {
      ...settings,
      outputDirections: [],
    });
  });
  return body.outputs.map(
    (_, k) =>
      stacked(
        runner,
        results.map((outputs) => outputs[k]!),
        0,
      )!,
  );
}

/** Stacks items of one shape along a new axis; undefined for no items. */
function stacked({ compute, shape }: Runner, items: readonly Item[], axis: number): Item | undefined {
  if (items.length === 0) return undefined;
  const at = axisIn(axis, shape(items[0]!).length + 1);
  const apart = items.map((item) => compute("Unsqueeze", [item], { axes: [at] }));
  return compute("Concat", apart, { axis: at });
}

/** The empty scan output of a loop that never runs; undefined where the file does not state its type. */
function emptyList({ dtype, shape, unranked, untyped }: ValueInfo): Item | undefined {
  const sizes = shape.filter((size) => typeof size === "number");
  if (untyped || unranked || sizes.length < shape.length) return undefined;
  return knownItem({ dtype, shape: [0, ...sizes], values: [] });
}

function subgraph(attributes: OnnxNode["attributes"], name: string): OnnxGraph {
  const attribute = attributes[name];
  return attribute?.kind === "graph" ? attribute.value : mismatch(`needs the graph ${name}`);
}

const list = (attribute: OnnxAttribute | undefined): readonly number[] =>
  attribute?.kind === "ints" ? attribute.value : [];

function numberOf(known: Known | undefined, what: string): number {
  return known?.values[0] ?? mismatch(`${what} depends on the image, and must be known before`);
}
