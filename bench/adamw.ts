/**
 * AdamW's loop in WebAssembly beside its graph on ONNX Runtime, on CPU, in turn in one process:
 *
 *     npx tsx bench/adamw.ts [repeats, 7]
 */
import type { Parameters } from "../src/models/index.ts";
import { gradientName } from "../src/objectives/index.ts";
import { compile } from "../src/runtime/index.ts";
import { AdamW } from "../src/training/adamw/adamw.ts";
import { adamWRates, asScalars } from "../src/training/adamw/formula.ts";
import { adamWGraph, momentNames, nextName } from "../src/training/adamw/graph.ts";

const repeats = Number(process.argv[2] ?? 7);
const options = { weightDecay: 1e-4 };

/** The weights of transformer blocks of one width. */
function blocks(width: number, depth: number): Parameters {
  const shapes = [
    [3 * width, width],
    [width, width],
    [4 * width, width],
    [width, 4 * width],
  ];
  const names = Array.from({ length: depth }, (_, block) =>
    shapes.map((shape, i) => [`${block}.${i}`, shape] as const),
  );
  return new Map(
    names
      .flat()
      .map(([name, shape]) => [name, { dtype: "float32" as const, shape, data: noise(shape[0]! * shape[1]!) }]),
  );
}

function noise(length: number): Float32Array {
  return Float32Array.from({ length }, (_, i) => Math.sin(i) / 50);
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1]!;

for (const [width, depth] of [
  [192, 12],
  [768, 12],
] as const) {
  const parameters = blocks(width, depth);
  const gradients = new Map([...parameters].map(([name, { data }]) => [name, data.slice()]));
  const loop = new AdamW(parameters, options);
  const program = await compile(adamWGraph(parameters, options));
  let state: Record<string, Float32Array> = {};
  for (const [name, { data }] of parameters) {
    const [first, second] = momentNames(name);
    Object.assign(state, { [name]: data.slice(), [first]: data.map(() => 0), [second]: data.map(() => 0) });
  }
  const feeds = Object.fromEntries([...gradients].map(([name, data]) => [gradientName(name), data]));
  // Two sets of arrays by turns, so that no step allocates.
  let other: Record<string, Float32Array> = Object.fromEntries(
    Object.entries(state).map(([name, data]) => [nextName(name), data.slice()]),
  );
  const times: Record<"loop" | "graph", number[]> = { loop: [], graph: [] };
  for (let t = 1; t <= repeats + 1; t++) {
    const started = performance.now();
    loop.step(parameters, (name) => gradients.get(name)!, 1e-5);
    const between = performance.now();
    const rates = asScalars(adamWRates(t, 1e-5, options));
    await program.run({ ...state, ...feeds, ...rates }, { ...other, norm: new Float32Array(1) });
    const ended = performance.now();
    const next = Object.fromEntries(Object.keys(state).map((name) => [name, other[nextName(name)]!]));
    other = Object.fromEntries(Object.entries(state).map(([name, data]) => [nextName(name), data]));
    state = next;
    if (t === 1) continue;
    times.loop.push(between - started);
    times.graph.push(ended - between);
  }
  const count = [...parameters.values()].reduce((sum, { data }) => sum + data.length, 0);
  const [a, b] = [median(times.loop), median(times.graph)];
  const shown = (all: readonly number[]): string => all.map((ms) => ms.toFixed(0)).join(" ");
  console.log(
    `${(count / 1e6).toFixed(1)} M: loop ${a.toFixed(1)} ms (${shown(times.loop)}), graph ${b.toFixed(1)} ms (${shown(times.graph)})`,
  );
  await program.dispose();
}
