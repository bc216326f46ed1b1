/** Accuracy of one encoder under one corruption, at severities 1 to 5. */
export interface CorruptionRow {
  /** `gaussian_noise` ... */
  readonly corruption: string;
  /** Shares of images from 0 to 1, severity 1 first. */
  readonly accuracies: readonly number[];
}

export interface CorruptedEncoder {
  readonly encoder: string;
  /** From 0 to 1. */
  readonly clean: number;
  readonly rows: readonly CorruptionRow[];
  /**
   * Mean corruption error (Hendrycks and Dietterich 2019): errors summed over severities, divided by those of the first
   * encoder, mean over the corruptions; 1 for the first encoder.
   */
  readonly meanCorruptionError: number;
  /** Accuracy under Gaussian noise of a standard deviation in pixel units of [0, 1]. */
  readonly noise: readonly { readonly sigma: number; readonly accuracy: number }[];
}

export interface Corruptions {
  readonly dataset: string;
  readonly images: number;
  readonly classes: number;
  /** Whose parameters: those for 32, 64 or 224 pixels. */
  readonly parameters: string;
  /** Corruptions beyond the fifteen that count in the mean. */
  readonly extra: readonly string[];
  readonly encoders: readonly CorruptedEncoder[];
}
