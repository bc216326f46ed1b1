import { expect, test } from "vitest";
import { Graph, type Node, type Value } from "../../graph/index.ts";
import { reachable } from "../../graph/reachable.ts";
import { segments } from "./segments.ts";

/** Layers that are eight times as wide inside as between them. */
function network(depth: number) {
  const g = new Graph();
  const wide = g.input("wide", "float32", [10, 80]);
  const narrow = g.input("narrow", "float32", [80, 10]);
  const between: Value[] = [];
  let x = g.input("x", "float32", [5, 10]);
  for (let i = 0; i < depth; i++) {
    x = g.matMul(g.exp(g.matMul(x, wide)), narrow);
    between.push(x);
  }
  return { loss: g.reduceSum(x), between };
}
const everything = (nodes: readonly Node[]): ReadonlySet<Value> => new Set(nodes.flatMap(({ inputs }) => inputs));

test("a deep network is cut at its narrow places, and each node is in one segment", () => {
  const { loss, between } = network(9);
  const { nodes } = reachable([loss]);
  const parts = segments(nodes, everything(nodes));
  expect(parts.length).toBeGreaterThan(2);
  expect(parts.flatMap((part) => part.nodes).map(({ id }) => id)).toEqual(nodes.map(({ id }) => id));
  expect(parts[0]!.boundary).toEqual([]);
  // The first segment is kept whole: it may well end within a layer.
  for (const { boundary } of parts.slice(2)) {
    expect(boundary).toHaveLength(1);
    expect(between.includes(boundary[0]!)).toBe(true);
  }
});

test("what crosses a cut beside the main path belongs to its boundary", () => {
  const g = new Graph();
  const x = g.input("x", "float32", [5, 10]);
  const table = g.exp(g.input("table", "float32", [10, 10]));
  let y = x;
  for (let i = 0; i < 9; i++)
    y = g.matMul(
      g.sigmoid(g.concat(Array(8).fill(g.matMul(y, table)), 1)),
      g.exp(g.input(`w${i}`, "float32", [80, 10])),
    );
  const { nodes } = reachable([g.reduceSum(y)]);
  const parts = segments(nodes, everything(nodes));
  expect(parts.length).toBeGreaterThan(1);
  for (const { boundary } of parts.slice(1, -1)) expect(boundary.includes(table)).toBe(true);
});

test("where nothing is to be gained, there is one segment", () => {
  const { loss } = network(1);
  const { nodes } = reachable([loss]);
  expect(segments(nodes, everything(nodes))).toHaveLength(1);
  expect(segments(nodes, new Set())).toHaveLength(1);
});
