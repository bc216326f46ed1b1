import type { Program } from "./program.ts";

/** One computation at several batch sizes. */
export interface Programs {
  /** A program whose batch holds `count` rows, or the largest there is. */
  at(count: number): Promise<Program>;
}

const ratio = 4;

/**
 * Programs at the largest batch size, at a quarter of it, at a quarter of that ... each compiled when it is first needed:
 * few rows left over then do not cost a whole batch, and memory holds few copies of the weights.
 *
 * @param build compiles the program of one batch size
 */
export class ProgramLadder implements Programs {
  readonly #build: (batch: number) => Promise<Program>;
  readonly #largest: number;
  readonly #programs = new Map<number, Promise<Program>>();

  constructor(build: (batch: number) => Promise<Program>, largest: number) {
    this.#build = build;
    this.#largest = largest;
  }

  at(count: number): Promise<Program> {
    let batch = this.#largest;
    while (batch > 1 && count <= Math.ceil(batch / ratio)) batch = Math.ceil(batch / ratio);
    const known = this.#programs.get(batch);
    if (known) return known;
    const program = this.#build(batch);
    this.#programs.set(batch, program);
    return program;
  }

  async dispose(): Promise<void> {
    const built = await Promise.allSettled(this.#programs.values());
    this.#programs.clear();
    // One that could not be compiled has said so where it was asked for.
    for (const program of built) if (program.status === "fulfilled") await program.value.dispose();
  }
}
