import fc from "fast-check";
import { broadcast, product, range } from "../graph/shapes.ts";
import { randomStream, shuffle } from "../random.ts";
import type { DType } from "../tensor/tensor.ts";

/** One input of a case. Inputs without an element type are the floats that the case is differentiated in. */
export interface CaseInput {
  readonly dtype?: DType;
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

export interface ShapeOptions {
  readonly minRank?: number;
  readonly maxRank?: number;
  /** Largest size of an axis. */
  readonly maxSize?: number;
  /** Largest number of elements: central differences cost four runs an element. */
  readonly maxElements?: number;
}

export interface RealOptions {
  readonly low?: number;
  readonly high?: number;
  /** Values to stay away from: kinks, poles. */
  readonly not?: (x: number) => boolean;
}

/**
 * Values are multiples of this. A point moved by a gradient check's step is then exact in float32 and float64 alike,
 * and values that differ do so by more than the check moves them, so no check steps over a kink.
 */
export const GRID = 2 ** -6;

/** Draws the parts of one random case: what fast-check shrinks and prints are these draws. */
export class Draw {
  readonly #gen: fc.GeneratorValue;

  constructor(gen: fc.GeneratorValue) {
    this.#gen = gen;
  }

  /** An integer in [low, high]. */
  int(low: number, high: number): number {
    return this.#gen(fc.integer, { min: low, max: high });
  }

  bool(): boolean {
    return this.#gen(fc.boolean);
  }

  pick<T>(list: readonly T[]): T {
    return list[this.int(0, list.length - 1)]!;
  }

  /** Each element or not. */
  some<T>(list: readonly T[]): readonly T[] {
    return list.filter(() => this.bool());
  }

  shuffled<T>(list: readonly T[]): readonly T[] {
    return shuffle(list, randomStream(this.#seed()));
  }

  /** An axis as a caller may write it: counted from the start or from the end. */
  axis(rank: number): number {
    return this.int(-rank, rank - 1);
  }

  shape({ minRank = 0, maxRank = 4, maxSize = 4, maxElements = 36 }: ShapeOptions = {}): readonly number[] {
    const shape: number[] = [];
    for (const _ of range(this.int(minRank, maxRank))) {
      shape.push(this.int(1, Math.max(1, Math.min(maxSize, Math.floor(maxElements / product(shape))))));
    }
    return shape;
  }

  /** A shape that broadcasts to the given one: leading axes left out, some of the others of size 1. */
  within(shape: readonly number[]): readonly number[] {
    const kept = shape.slice(this.int(0, shape.length));
    return this.int(0, 2) === 0 ? kept : kept.map((size) => (this.int(0, 2) === 0 ? 1 : size));
  }

  /** `count` shapes that broadcast with each other. */
  broadcasting(count: number, options?: ShapeOptions): readonly (readonly number[])[] {
    const full = this.shape(options);
    const shapes = range(count).map(() => this.within(full));
    return this.bool() ? shapes.with(this.int(0, count - 1), full) : shapes;
  }

  /** A float input with values in [low, high]. */
  real(shape: readonly number[], { low = -2, high = 2, not = () => false }: RealOptions = {}): CaseInput {
    const random = randomStream(this.#seed());
    const value = (): number => {
      const x = low + GRID * random.below(Math.round((high - low) / GRID) + 1);
      return not(x) ? value() : x;
    };
    return { shape, data: Array.from({ length: product(shape) }, value) };
  }

  /** Float inputs in which no value occurs twice, neither within one nor across them, and none is 0. */
  distinct(shapes: readonly (readonly number[])[], spacing = 4 * GRID): readonly CaseInput[] {
    const count = shapes.map(product).reduce((a, b) => a + b, 0);
    const values = this.shuffled(range(count).map((i) => (i - Math.floor(count / 2) + 0.5) * spacing));
    let used = 0;
    return shapes.map((shape) => {
      used += product(shape);
      return { shape, data: values.slice(used - product(shape), used) };
    });
  }

  /** Indices in [-size, size), with repetitions. */
  indices(shape: readonly number[], size: number): CaseInput {
    const random = randomStream(this.#seed());
    return {
      dtype: "int64",
      shape,
      data: Array.from({ length: product(shape) }, () => random.below(2 * size) - size),
    };
  }

  truths(shape: readonly number[]): CaseInput {
    const random = randomStream(this.#seed());
    return { dtype: "bool", shape, data: Array.from({ length: product(shape) }, () => random.below(2)) };
  }

  /** Any of the ways to say "no axes given", "these axes", in any order and counted from either end. */
  axes(rank: number): { readonly axes?: readonly number[] } {
    if (this.int(0, 3) === 0) return {};
    const axes = this.shuffled(this.some(range(rank)));
    return { axes: axes.map((axis) => (this.bool() ? axis - rank : axis)) };
  }

  #seed(): number {
    return this.int(0, 2 ** 31 - 1);
  }
}

/** Shape of the result of broadcasting several shapes. */
export const broadcastAll = (shapes: readonly (readonly number[])[]): readonly number[] => shapes.reduce(broadcast);
