/** Accuracy of one encoder under one corruption. */
export interface CorruptionRow {
  /** `gaussian_noise` ... */
  readonly corruption: string;
  /** Shares of images from 0 to 1, one a severity. */
  readonly accuracies: readonly number[];
}

export interface CorruptedEncoder {
  readonly encoder: string;
  /** From 0 to 1. */
  readonly clean: number;
  readonly rows: readonly CorruptionRow[];
  /**
   * Mean corruption error (Hendrycks and Dietterich 2019): errors summed over severities, divided by those of the first
   * encoder, mean over the corruptions but the extra ones; 1 for the first encoder. A corruption under which the first
   * encoder errs nowhere is left out; absent where none remains.
   */
  readonly meanCorruptionError?: number;
  /** Accuracy under Gaussian noise of a standard deviation in pixel units of [0, 1]. */
  readonly noise: readonly { readonly sigma: number; readonly accuracy: number }[];
}

export interface Corruptions {
  readonly dataset: string;
  readonly images: number;
  /** Images that could not be read; absent in measurements of earlier versions. */
  readonly skipped?: number;
  readonly classes: number;
  /** Source of the parameters: "CIFAR-10-C (32 pixels)" ... */
  readonly parameters: string;
  /** Severities of the rows' accuracies, from 1 to 5. */
  readonly severities: readonly number[];
  /** Corruptions beyond the fifteen that count in the mean. */
  readonly extra: readonly string[];
  readonly encoders: readonly CorruptedEncoder[];
  /** Reasons not to compare these numbers with others. */
  readonly warnings: readonly string[];
}
