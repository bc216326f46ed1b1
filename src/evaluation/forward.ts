import { Graph, type Value } from "../graph/index.ts";
import { type CompileOptions, compile, type Program } from "../runtime/index.ts";

/**
 * Images a program takes at a time unless told otherwise: what small encoders compute between two products then still
 * fits the caches of a CPU, and large ones fill its cores with less.
 */
export const usualBatch = 16;

export interface ForwardOptions extends CompileOptions {
  readonly imageSize: number;
  /** Images the program takes at a time. */
  readonly batch: number;
}

/** A forward pass over any number of images. `dispose` frees the program. */
export class Forward<Name extends string> {
  readonly batch: number;
  readonly imageSize: number;
  readonly #program: Program<Name>;

  private constructor(program: Program<Name>, { batch, imageSize }: ForwardOptions) {
    this.#program = program;
    this.batch = batch;
    this.imageSize = imageSize;
  }

  /** @param build the outputs, one row an image, on the graph's pixels [N, 3, S, S] in [0, 1] */
  static async compile<Name extends string>(
    build: (pixels: Value) => Readonly<Record<Name, Value>>,
    options: ForwardOptions,
  ): Promise<Forward<Name>> {
    const { batch, imageSize } = options;
    const pixels = new Graph().input("pixels", "float32", [batch, 3, imageSize, imageSize]);
    return new Forward(await compile(build(pixels), options), options);
  }

  /**
   * @param pixels [count, 3, S, S] in [0, 1]
   * @returns each output's rows for all images, in arrays of their own
   */
  async run(pixels: Float32Array): Promise<Readonly<Record<Name, Float32Array>>> {
    const size = 3 * this.imageSize ** 2;
    const count = pixels.length / size;
    const names = Object.keys(this.#program.outputs) as Name[];
    const all = names.map((name) => {
      const width = this.#program.outputs[name].length / this.batch;
      return { name, width, rows: new Float32Array(count * width) };
    });
    const batch = new Float32Array(this.batch * size);
    for (let start = 0; start < count; start += this.batch) {
      const used = Math.min(this.batch, count - start);
      batch.set(pixels.subarray(start * size, (start + used) * size));
      const result = await this.#program.run({ pixels: batch });
      for (const { name, width, rows } of all)
        rows.set((result[name] as Float32Array).subarray(0, used * width), start * width);
    }
    return Object.fromEntries(all.map(({ name, rows }) => [name, rows])) as Record<Name, Float32Array>;
  }

  dispose(): Promise<void> {
    return this.#program.dispose();
  }
}
