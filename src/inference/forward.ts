import { Graph, type Value } from "../graph/index.ts";
import { checkFinite, checkNonZero } from "../models/index.ts";
import { type CompileOptions, compile, type Program } from "../runtime/index.ts";

/**
 * Default number of images a program takes at a time. The intermediate results of small encoders then still fit the
 * caches of a CPU. Large encoders fill its cores with fewer images.
 */
export const usualBatch = 16;

/** Name of an output's rows, for messages. */
const kinds: Readonly<Record<string, string>> = { embeddings: "embedding", logits: "logits", values: "similarity" };

export interface ForwardOptions extends CompileOptions {
  /** The encoder's name, for messages. */
  readonly encoder: string;
  readonly imageSize: number;
  /** Images the program takes at a time. */
  readonly batch: number;
  /** Outputs whose rows must not be zero, since cosines are taken of them. Default: none. */
  readonly nonZero?: readonly string[];
}

/** A forward pass over any number of images. `dispose` frees the program. */
export class Forward<Name extends string> {
  readonly batch: number;
  readonly imageSize: number;
  readonly #program: Program<Name>;
  readonly #encoder: string;
  readonly #nonZero: readonly string[];

  private constructor(program: Program<Name>, { encoder, batch, imageSize, nonZero = [] }: ForwardOptions) {
    this.#program = program;
    this.#encoder = encoder;
    this.#nonZero = nonZero;
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
   * @param nameOf an image's name in messages
   * @returns each output's rows for all images, in new arrays
   * @throws UsageError naming the encoder and the image when a number is not finite, or a row of `nonZero` is zero
   */
  async run(pixels: Float32Array, nameOf?: (image: number) => string): Promise<Readonly<Record<Name, Float32Array>>> {
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
      for (const { name, width, rows } of all) {
        const found = (result[name] as Float32Array).subarray(0, used * width);
        this.#check(name, found, used, nameOf && ((row) => nameOf(start + row)));
        rows.set(found, start * width);
      }
    }
    return Object.fromEntries(all.map(({ name, rows }) => [name, rows])) as Record<Name, Float32Array>;
  }

  #check(name: string, rows: Float32Array, count: number, nameOf: ((row: number) => string) | undefined): void {
    const of = { encoder: this.#encoder, what: kinds[name] ?? name, nameOf };
    checkFinite(rows, count, of);
    if (this.#nonZero.includes(name)) checkNonZero(rows, count, of);
  }

  dispose(): Promise<void> {
    return this.#program.dispose();
  }
}
