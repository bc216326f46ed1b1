import type { Tensor } from "../tensor/index.ts";
import { type BankArrays, type BankDistance, usesBank } from "./distance.ts";
import type { Loss, Objective } from "./objective.ts";

/** Entries where no distance sets their number. */
const usualEntries = 256;
/** Far below any similarity, and within float16. */
const absent = -1e4;

/**
 * The newest original embeddings: the other images that distances of a batch refer to, and the original's own spread.
 */
export class EmbeddingBank {
  readonly #entries: number;
  readonly #size: number;
  /** Original embeddings, [entries, size]; a ring. */
  readonly #rows: Float32Array;
  /** Embeddings added so far. */
  #seen = 0;
  readonly arrays: BankArrays;

  /**
   * @param entries kept
   * @param size of an embedding
   */
  constructor(entries: number, size: number) {
    this.#entries = entries;
    this.#size = size;
    this.#rows = new Float32Array(entries * size);
    this.arrays = {
      bank: new Float32Array(entries * size),
      bankBias: new Float32Array(entries).fill(absent),
      bankCenter: new Float32Array(size),
    };
  }

  get #filled(): number {
    return Math.min(this.#seen, this.#entries);
  }

  /**
   * Takes in original embeddings, the oldest of them first, and makes `arrays` anew.
   *
   * @param embeddings [count, size], row-major; what follows them is ignored
   * @returns a function that takes them out again
   */
  add(embeddings: Float32Array, count: number): () => void {
    const size = this.#size;
    const before = { rows: this.#rows.slice(), seen: this.#seen };
    for (let i = 0; i < count; i++) {
      this.#rows.set(embeddings.subarray(i * size, (i + 1) * size), (this.#seen % this.#entries) * size);
      this.#seen++;
    }
    this.#describe();
    return () => {
      this.#rows.set(before.rows);
      this.#seen = before.seen;
      this.#describe();
    };
  }

  /** Mean of ||z0 - mu||^2 over the entries, mu their mean; 0 where there is one only. */
  get spread(): number {
    const { bankCenter } = this.arrays;
    let sum = 0;
    for (let i = 0; i < this.#filled * this.#size; i++) sum += (this.#rows[i]! - bankCenter[i % this.#size]!) ** 2;
    return sum / Math.max(this.#filled, 1);
  }

  #describe(): void {
    const size = this.#size;
    const filled = this.#filled;
    const { bank, bankBias, bankCenter } = this.arrays;
    const center = new Float64Array(size);
    for (let i = 0; i < filled * size; i++) center[i % size]! += this.#rows[i]! / filled;
    bankCenter.set(center);
    bankBias.fill(absent).fill(0, 0, filled);
    bank.fill(0);
    for (let row = 0; row < filled; row++) {
      let squares = 0;
      for (let d = 0; d < size; d++) {
        const value = this.#rows[row * size + d]! - bankCenter[d]!;
        bank[row * size + d] = value;
        squares += value * value;
      }
      const scale = 1 / Math.max(Math.sqrt(squares), 1e-12);
      for (let d = 0; d < size; d++) bank[row * size + d]! *= scale;
    }
  }

  /** Forgets all embeddings. */
  reset(): void {
    this.#rows.fill(0);
    this.#seen = 0;
    this.#describe();
  }

  /** For a checkpoint; shares memory with the bank. */
  state(): ReadonlyMap<string, Tensor> {
    return new Map([
      ["rows", { dtype: "float32", shape: [this.#entries, this.#size], data: this.#rows }],
      ["seen", { dtype: "float64", shape: [], data: Float64Array.of(this.#seen) }],
    ]);
  }

  /** Continues from a `state`. */
  restore(state: ReadonlyMap<string, Tensor>): void {
    this.#rows.set(state.get("rows")!.data as Float32Array);
    this.#seen = Number(state.get("seen")!.data[0]);
    this.#describe();
  }
}

/** The objective with banks of one size, which holds a batch at least; and that size. */
export function withBankFor(
  objective: Objective,
  batch: number,
): { readonly objective: Objective; readonly entries: number } {
  const { loss, constraint } = objective;
  const bounded = constraint?.divergence === "embedding" ? constraint : undefined;
  const asked = [loss, bounded?.distance].flatMap((distance) => (hasBank(distance) ? [distance.bank] : []));
  const entries = Math.max(batch, ...(asked.length > 0 ? asked : [usualEntries]));
  return {
    entries,
    objective: {
      ...objective,
      loss: hasBank(loss) ? { ...loss, bank: entries } : loss,
      ...(bounded &&
        hasBank(bounded.distance) && {
          constraint: { ...bounded, distance: { ...bounded.distance, bank: entries } },
        }),
    },
  };
}

function hasBank(loss: Loss | undefined): loss is BankDistance {
  return loss !== undefined && loss.kind !== "cross-entropy" && usesBank(loss);
}
