import type { Spread } from "./fidelity.ts";
import type { Picture } from "./finding.ts";

/** An image and the texts nearest to its embedding. */
export interface NearestTexts {
  readonly image: string;
  readonly texts: readonly { readonly text: string; readonly cosine: number }[];
}

export interface InterpretabilityOf {
  readonly encoder: string;
  /** Cosine of clean images with the texts of their own class, over images and templates; absent without a text tower. */
  readonly alignment?: Spread;
  /** The same, templates apart. */
  readonly alignmentByTemplate?: readonly { readonly template: string; readonly cosine: number }[];
  /**
   * Sharpness of saliency maps, mean over images: Gini coefficient of |input gradient| summed over channels, from 0 (even) to 1
   * (one pixel).
   */
  readonly saliencySharpness: Spread;
  /** Smallest epsilon that changes the prediction, pixel units; `share` of the images have one within `upTo`. */
  readonly flip?: { readonly epsilon: Spread; readonly share: number; readonly upTo: number };
  readonly nearest: readonly NearestTexts[];
  /** Saliency maps and images synthesised by gradient ascent. */
  readonly pictures: readonly Picture[];
}

export interface Interpretability {
  readonly dataset: string;
  readonly images: number;
  readonly classes: number;
  /** How many templates the alignment is over. */
  readonly templates: number;
  readonly encoders: readonly InterpretabilityOf[];
}
