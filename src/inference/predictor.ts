import type { Value } from "../graph/index.ts";
import type { CompileOptions } from "../runtime/index.ts";
import { Forward } from "./forward.ts";
import { rowOf } from "./rows.ts";
import type { Victim } from "./victim.ts";

/** An encoder's predictions for a set of images. */
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
  readonly #forward: Forward<"logits" | "embeddings">;

  private constructor(forward: Forward<"logits" | "embeddings">) {
    this.#forward = forward;
  }

  static async compile(
    { name, imageSize, cosine = false, logits, embed }: Victim,
    options: CompileOptions & { readonly batch: number },
  ): Promise<Predictor> {
    const build = (pixels: Value) => ({ embeddings: embed(pixels), logits: logits(pixels) });
    const nonZero = cosine ? ["embeddings"] : [];
    return new Predictor(await Forward.compile(build, { ...options, encoder: name, imageSize, nonZero }));
  }

  get imageSize(): number {
    return this.#forward.imageSize;
  }

  /** Images that it takes at a time. */
  get batch(): number {
    return this.#forward.batch;
  }

  /**
   * @param pixels [count, 3, S, S] in [0, 1], any count
   * @param nameOf an image's name in messages
   * @throws UsageError when the encoder's output is not finite; see `Forward.run`
   */
  async predict(
    pixels: Float32Array,
    labels: readonly number[],
    nameOf?: (image: number) => string,
  ): Promise<Predictions> {
    const { logits, embeddings } = await this.#forward.run(pixels, nameOf);
    const rows = labels.map((_, i) => rowOf(logits, i, labels.length));
    return {
      classes: rows.map((row) => row.indexOf(Math.max(...row))),
      margins: rows.map((row, i) => marginOf(row, labels[i]!)),
      logits,
      rows,
      embeddings,
    };
  }

  dispose(): Promise<void> {
    return this.#forward.dispose();
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
