import type { Program } from "./program.ts";

/** One computation at several batch sizes. */
export interface Programs {
  /** Rows that the largest program holds. */
  readonly largest: number;
  /** Batch sizes, up to the largest, that together hold `count` rows at little cost. */
  sizes(count: number): readonly number[];
  /** The program of one of these sizes. */
  at(size: number): Promise<Program>;
}

const ratio = 4;
/** A program this full costs no more than several smaller ones, which pay their fixed costs more often. */
const full = 0.75;

/**
 * Programs at the largest batch size, at a quarter of it, at a quarter of that ... Each is compiled when first needed. A
 * few leftover rows then do not cost a whole batch, and memory holds few copies of the weights.
 *
 * @param build compiles the program of one batch size
 */
export class ProgramLadder implements Programs {
  readonly largest: number;
  readonly #build: (batch: number) => Promise<Program>;
  readonly #programs = new Map<number, Promise<Program>>();

  constructor(build: (batch: number) => Promise<Program>, largest: number) {
    this.#build = build;
    this.largest = largest;
  }

  sizes(count: number): readonly number[] {
    const sizes: number[] = [];
    let size = this.largest;
    for (let left = Math.min(count, size); left > 0; ) {
      if (size === 1 || left >= full * size) {
        sizes.push(size);
        left -= size;
      } else size = Math.ceil(size / ratio);
    }
    return sizes;
  }

  at(size: number): Promise<Program> {
    const known = this.#programs.get(size);
    if (known) return known;
    const program = this.#build(size);
    this.#programs.set(size, program);
    return program;
  }

  async dispose(): Promise<void> {
    const built = await Promise.allSettled(this.#programs.values());
    this.#programs.clear();
    // A failed compilation was reported to its caller already.
    for (const program of built) if (program.status === "fulfilled") await program.value.dispose();
  }
}
