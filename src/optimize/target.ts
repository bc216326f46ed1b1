/** Where programs run. `cpu` is always there; the others need the hardware and its driver. */
export type Device = "cpu" | "webgpu" | "cuda";

/** The machine and precision that a program is compiled for. */
export interface Target {
  /** Default "cpu". */
  readonly device?: Device;
  /** Threads within an operator, on CPU, the calling one included. Default: one a core. */
  readonly threads?: number;
  /**
   * Element type of matrix products and convolutions; everything else, and every input and output, is float32. Default
   * "float32". "float16" is for GPUs: the CPU only rounds operands and results to it, and is slower for that.
   */
  readonly precision?: "float32" | "float16";
}
