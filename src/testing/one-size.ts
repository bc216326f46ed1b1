import type { Programs } from "../runtime/batch-programs.ts";
import type { Program } from "../runtime/program.ts";

/** A program of one batch size, padded where fewer rows are left. */
export function oneSize(program: Program): Programs {
  const largest = program.inputs.find(({ name }) => name === "pixels")!.shape[0]!;
  return { largest, sizes: (count) => (count > 0 ? [largest] : []), at: async () => program };
}
