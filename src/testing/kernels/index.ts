import { attention } from "./attention.ts";
import type { KernelCase } from "./case.ts";
import { opsets } from "./opsets.ts";

export type { KernelCase } from "./case.ts";

/** Uses of operators that the importer writes out, each held against ONNX Runtime's own kernel. */
export const kernelCases: readonly KernelCase[] = [...attention, ...opsets];
