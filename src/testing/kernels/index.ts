import { attention } from "./attention.ts";
import { basics } from "./basics.ts";
import type { KernelCase } from "./case.ts";
import { contrib, fused } from "./contrib.ts";
import { indexing } from "./indexing.ts";
import { losses, lossesWithProbabilities } from "./losses.ts";
import { opsets } from "./opsets.ts";
import { pools } from "./pools.ts";
import { recurrent } from "./recurrent.ts";
import { resizes } from "./resize.ts";
import { sampling } from "./sampling.ts";

export type { KernelCase } from "./case.ts";

/** Uses of operators that the importer writes out, each held against ONNX Runtime's own kernel. */
export const kernelCases: readonly KernelCase[] = [
  ...attention,
  ...basics,
  ...contrib,
  ...fused,
  ...indexing,
  ...losses,
  ...lossesWithProbabilities,
  ...opsets,
  ...pools,
  ...recurrent,
  ...resizes,
  ...sampling,
];
