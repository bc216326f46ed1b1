import { lossGraph } from "../../attacks/index.ts";
import type { Value } from "../../graph/index.ts";
import { type CompileOptions, compile, type Program } from "../../runtime/index.ts";
import type { Similarity } from "./similarity.ts";

/** Input gradients of similarities to classes. `dispose` frees the program. */
export class Saliency {
  readonly #program: Program;
  readonly #batch: number;
  readonly #classes: number;
  readonly #length: number;

  private constructor(program: Program, classes: number, { batch, imageSize }: SaliencyOptions) {
    this.#program = program;
    this.#batch = batch;
    this.#classes = classes;
    this.#length = 3 * imageSize ** 2;
  }

  static async compile({ values, count }: Similarity, options: SaliencyOptions): Promise<Saliency> {
    const { batch, imageSize } = options;
    const own = (pixels: Value) => {
      const g = pixels.graph;
      const choice = g.input("choice", "float32", [batch, count]);
      return { loss: g.reduceSum(g.mul(values(pixels), choice), { axes: [1] }) };
    };
    const program = await compile(lossGraph({ batch, imageSize, gradient: true }, own), options);
    return new Saliency(program, count, options);
  }

  /**
   * Saliency maps: |d similarity to the image's class / d pixel| summed over channels, [count, S, S].
   *
   * @param pixels [count, 3, S, S] in [0, 1]
   */
  async maps(pixels: Float32Array, labels: ArrayLike<number>): Promise<Float32Array> {
    const [count, length] = [labels.length, this.#length];
    const maps = new Float32Array((count * length) / 3);
    const batch = new Float32Array(this.#batch * length);
    for (let start = 0; start < count; start += this.#batch) {
      const used = Math.min(this.#batch, count - start);
      batch.set(pixels.subarray(start * length, (start + used) * length));
      const choice = new Float32Array(this.#batch * this.#classes);
      for (let i = 0; i < used; i++) choice[i * this.#classes + labels[start + i]!] = 1;
      const { gradient } = await this.#program.run({ pixels: batch, choice });
      maps.set(channelSums(gradient as Float32Array, used, length / 3), (start * length) / 3);
    }
    return maps;
  }

  dispose(): Promise<void> {
    return this.#program.dispose();
  }
}

export interface SaliencyOptions extends CompileOptions {
  readonly imageSize: number;
  /** Images the program takes at a time. */
  readonly batch: number;
}

/** |gradient| summed over channels, [count, S, S], for the first images of [N, 3, S, S]. */
function channelSums(gradient: Float32Array, count: number, plane: number): Float32Array {
  return new Float32Array(count * plane).map((_, at) => {
    const first = Math.floor(at / plane) * 3 * plane + (at % plane);
    return Math.abs(gradient[first]!) + Math.abs(gradient[first + plane]!) + Math.abs(gradient[first + 2 * plane]!);
  });
}

/**
 * Gini coefficient of non-negative values: 0 when all are equal, (n - 1) / n when all but one of n are zero. 0 when all
 * are zero.
 */
export function gini(values: Float32Array): number {
  const sorted = values.slice().sort();
  let sum = 0;
  let weighted = 0;
  for (let i = 0; i < sorted.length; i++) {
    sum += sorted[i]!;
    weighted += (i + 1) * sorted[i]!;
  }
  const n = sorted.length;
  return sum === 0 ? 0 : (2 * weighted) / (n * sum) - (n + 1) / n;
}
