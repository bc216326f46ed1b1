import { Graph, type Value } from "../graph/index.ts";
import { type CompileOptions, compile, type Program } from "../runtime/index.ts";
import type { Victim } from "./attacker.ts";

/** What an encoder makes of images. */
export interface Predictions {
  /** Per image: the class of the largest logit. */
  readonly classes: readonly number[];
  /** Per image: its label's logit minus the largest other; negative where misclassified. */
  readonly margins: readonly number[];
  /** [count, C] */
  readonly logits: Float32Array;
  /** Per image: its row of the logits. */
  readonly rows: readonly Float32Array[];
  /** [count, D] */
  readonly embeddings: Float32Array;
}

/** Forward passes of one encoder. `dispose` frees the program. */
export class Predictor {
  readonly imageSize: number;
  readonly #program: Program<"logits" | "embeddings">;
  /** Images that it takes at a time. */
  readonly batch: number;

  private constructor(program: Program<"logits" | "embeddings">, batch: number, imageSize: number) {
    this.#program = program;
    this.batch = batch;
    this.imageSize = imageSize;
  }

  static async compile(victim: Victim, options: CompileOptions & { readonly batch: number }): Promise<Predictor> {
    const { batch } = options;
    const pixels = new Graph().input("pixels", "float32", [batch, 3, victim.imageSize, victim.imageSize]);
    const outputs: { readonly logits: Value; readonly embeddings: Value } = {
      logits: victim.logits(pixels),
      embeddings: victim.embed(pixels),
    };
    return new Predictor(await compile(outputs, options), batch, victim.imageSize);
  }

  /** @param pixels [count, 3, S, S] in [0, 1], any count */
  async predict(pixels: Float32Array, labels: readonly number[]): Promise<Predictions> {
    const count = labels.length;
    const [classes, width] = [this.#program.outputs.logits, this.#program.outputs.embeddings].map(
      (output) => output.length / this.batch,
    ) as [number, number];
    const logits = new Float32Array(count * classes);
    const embeddings = new Float32Array(count * width);
    const size = count === 0 ? 0 : pixels.length / count;
    const batch = new Float32Array(this.batch * size);
    for (let start = 0; start < count; start += this.batch) {
      const used = Math.min(this.batch, count - start);
      batch.set(pixels.subarray(start * size, (start + used) * size));
      const result = await this.#program.run({ pixels: batch });
      logits.set((result.logits as Float32Array).subarray(0, used * classes), start * classes);
      embeddings.set((result.embeddings as Float32Array).subarray(0, used * width), start * width);
    }
    const rows = labels.map((_, i) => logits.subarray(i * classes, (i + 1) * classes));
    return {
      classes: rows.map((row) => row.indexOf(Math.max(...row))),
      margins: rows.map((row, i) => marginOf(row, labels[i]!)),
      logits,
      rows,
      embeddings,
    };
  }

  dispose(): Promise<void> {
    return this.#program.dispose();
  }
}

function marginOf(logits: Float32Array, label: number): number {
  let other = Number.NEGATIVE_INFINITY;
  for (let c = 0; c < logits.length; c++) if (c !== label) other = Math.max(other, logits[c]!);
  return logits[label]! - other;
}

/** The classes besides the label, the largest logit first. */
export function othersByLogit(logits: Float32Array, label: number): readonly number[] {
  const classes = Array.from(logits, (_, c) => c).filter((c) => c !== label);
  return classes.sort((a, b) => logits[b]! - logits[a]!);
}
