import type { BenchResult } from "../src/profiling/index.ts";
import { type Axis, axes, type GrowthPoint, valueOn } from "./growth-points.ts";
import { describeMachine, type Machine } from "./machine.ts";
import { digits, markdownTable, spreadCell } from "./markdown.ts";

export interface MeasuredPoint {
  readonly axis: Axis;
  readonly point: GrowthPoint;
  readonly result: BenchResult;
}

/** Everything that a call of bench/growth.ts measured. */
export interface Growth {
  readonly machine: Machine;
  readonly threads: number;
  /** Counted steps of each process. */
  readonly repeats: number;
  /** Bytes a second between processor and memory. */
  readonly memoryRate: number;
  readonly points: readonly MeasuredPoint[];
}

/** Seconds that a step would take for the products alone, and for the memory alone. */
export interface Bounds {
  /** Matrix products at the rate of ONNX Runtime's MatMul at the same shapes. */
  readonly products: number;
  /** Memory traffic with everything fused into the products: no step can do with less, caches aside. */
  readonly fused: number;
  /** Memory traffic with nothing fused: every operator reads from memory and writes there. */
  readonly unfused: number;
}

export function boundsOf({ flops, gemmRate, traffic }: BenchResult, memoryRate: number): Bounds {
  return { products: flops / gemmRate, fused: traffic.products / memoryRate, unfused: traffic.nodes / memoryRate };
}

/** A Markdown table an axis. Where milliseconds a GFLOP stay the same, time grows as the operations do. */
export function growthTables({ machine, threads, repeats, memoryRate, points }: Growth): string {
  const settings =
    `${describeMachine(machine)}; ${threads} threads; ${repeats} counted steps a process; ` +
    `memory ${(memoryRate / 1e9).toFixed(1)} GB/s (Add of 64 MiB arrays)`;
  const tables = axes.flatMap((axis) => {
    const measured = points.filter((one) => one.axis === axis);
    return measured.length === 0 ? [] : [axisTable(axis, measured, memoryRate)];
  });
  return [settings, ...tables].join("\n\n");
}

function axisTable(axis: Axis, measured: readonly MeasuredPoint[], memoryRate: number): string {
  const rows = measured.map(({ point, result }) => {
    const { seconds, flops, traffic, gemmRate, peakMemoryBytes } = result;
    const bounds = boundsOf(result, memoryRate);
    return [
      `${valueOn(axis, point)}`,
      digits(flops / 1e9),
      digits(traffic.products / 1e9),
      digits(traffic.nodes / 1e9),
      spreadCell(seconds),
      digits((seconds.median * 1e3) / (flops / 1e9)),
      ...[bounds.products, bounds.fused, bounds.unfused].map(digits),
      digits(gemmRate / 1e9),
      digits(bounds.products / seconds.median),
      (peakMemoryBytes / 2 ** 20).toFixed(0),
    ];
  });
  return markdownTable(
    [
      ...[axis, "GFLOP", "GB fused", "GB unfused", "seconds", "ms/GFLOP"],
      ...["s of products", "s of memory, fused", "unfused", "GEMM GFLOP/s", "GEMM share", "peak MiB"],
    ],
    rows,
  );
}
