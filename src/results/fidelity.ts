/** Five numbers of a distribution. */
export interface Spread {
  readonly mean: number;
  readonly median: number;
  readonly low: number;
  readonly high: number;
  /** Levels of the quantiles `low` and `high`, for example 0.05 and 0.95. */
  readonly quantiles: readonly [number, number];
}

/** Distance of an encoder's embeddings from the original's. */
export interface Drift {
  /** Squared l2 distance. */
  readonly distance: Spread;
  /** Distance over the original embedding's squared norm. */
  readonly relative: Spread;
  readonly cosine: Spread;
}

export interface FidelityOf {
  readonly encoder: string;
  readonly clean: Drift;
  /** On images perturbed to move this encoder's embeddings away from the original's; absent without an attack. */
  readonly attacked?: Drift;
  /** Share of images whose clean distance exceeds rho m(x). */
  readonly violationRate: number;
  /** Clean distances over rho m(x): `counts[i]` lie in [edges[i], edges[i + 1]), the last edge is open-ended. */
  readonly histogram: { readonly edges: readonly number[]; readonly counts: readonly number[] };
  /** Share of the original's nearest neighbours (cosine, same images) that are kept; queries attacked where there is an attack. */
  readonly neighbours: { readonly k: number; readonly clean: number; readonly attacked?: number };
  /** Text-to-image recall; absent without captions. */
  readonly recall?: readonly { readonly k: number; readonly clean: number; readonly attacked?: number }[];
}

export interface Fidelity {
  readonly dataset: string;
  readonly images: number;
  /** Images that could not be read; absent in measurements of earlier versions. */
  readonly skipped?: number;
  readonly original: string;
  readonly rho: number;
  /** p of m(x) = |phi0(x)|^p. */
  readonly marginExponent: number;
  /** "pgd 2/255" ...; absent without one. */
  readonly attack?: string;
  /** The original first, where it was attacked. */
  readonly encoders: readonly FidelityOf[];
  /** Reasons not to trust these numbers; absent in measurements of earlier versions. */
  readonly warnings?: readonly string[];
}
