import type { Spread } from "./fidelity.ts";
import type { Picture } from "./finding.ts";

/** An image and the texts nearest to its embedding. */
export interface NearestTexts {
  readonly image: string;
  /** The nearest first. */
  readonly texts: readonly { readonly text: string; readonly cosine: number }[];
}

/** An image made by gradient ascent, and its similarity to its target. */
export interface Synthesis {
  /** A text, or a class of a fixed head. */
  readonly towards: string;
  /** Cosine with the text, or the class's logit: of the grey start image, and of the final one. */
  readonly from: number;
  readonly to: number;
}

export interface InterpretabilityOf {
  readonly encoder: string;
  /** Kind of similarity: cosines with texts, or logits of a fixed head. */
  readonly similarity: "cosine" | "logit";
  /** Cosine of clean images with the texts of their own class, over images and templates; absent without a text tower. */
  readonly alignment?: Spread;
  /** The same for each template. */
  readonly alignmentByTemplate?: readonly { readonly template: string; readonly cosine: number }[];
  /**
   * Sharpness of saliency maps, over images: Gini coefficient of |input gradient| summed over channels, from 0 (even) to 1
   * (one pixel).
   */
  readonly saliencySharpness: Spread;
  /**
   * Smallest epsilon at which PGD changes the prediction, pixel units: over the images that have one within `upTo`,
   * `share` of all; absent where none has. Exact to `resolution`.
   */
  readonly flip: {
    readonly epsilon?: Spread;
    readonly share: number;
    readonly upTo: number;
    readonly resolution: number;
  };
  /** Nearest texts of a few images; empty without a text tower. */
  readonly nearest: readonly NearestTexts[];
  readonly synthesis: readonly Synthesis[];
}

export interface Interpretability {
  readonly dataset: string;
  readonly images: number;
  /** Images that could not be read; absent in measurements of earlier versions. */
  readonly skipped?: number;
  readonly classes: number;
  /** Templates of the alignment; 0 where no encoder has a text tower. */
  readonly templates: number;
  readonly encoders: readonly InterpretabilityOf[];
  /** Saliency maps and images synthesised by gradient ascent, a column an encoder. */
  readonly pictures: readonly Picture[];
  /** Reasons not to trust these numbers; absent in measurements of earlier versions. */
  readonly warnings?: readonly string[];
}
