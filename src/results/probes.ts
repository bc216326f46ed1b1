/** Classifiers over frozen embeddings, fitted on one set of images and measured on another. */
export interface ProbedEncoder {
  readonly encoder: string;
  /** Multinomial logistic regression; `regularization` is the l2 strength that held-out images chose. */
  readonly linear: {
    readonly accuracy: number;
    readonly trainAccuracy: number;
    readonly regularization: number;
    /** Whether the fit reached its minimum. */
    readonly converged: boolean;
  };
  /** Nearest neighbours by cosine, one entry a number of neighbours. */
  readonly neighbours: readonly { readonly k: number; readonly accuracy: number }[];
}

export interface Probes {
  readonly train: string;
  readonly test: string;
  readonly trainImages: number;
  readonly testImages: number;
  /** Images of both sources that could not be read; absent in measurements of earlier versions. */
  readonly skipped?: number;
  readonly classes: number;
  readonly encoders: readonly ProbedEncoder[];
  /** Reasons not to trust these numbers; absent in measurements of earlier versions. */
  readonly warnings?: readonly string[];
}
