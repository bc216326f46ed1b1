import type { RandomStream } from "../random.ts";

/** A picture of frost, at least as large as the images. */
export interface FrostTexture {
  readonly width: number;
  readonly height: number;
  /** [3, height, width] in [0, 1] */
  readonly pixels: Float32Array;
}

/** The subject of a corruption. */
export interface Subject {
  /** [3, S, S] in [0, 1] */
  readonly image: Float32Array;
  readonly size: number;
  readonly random: RandomStream;
  /** Frost textures. Without them, frost is drawn. */
  readonly frost?: readonly FrostTexture[] | undefined;
}

/** A corruption. Its result may lie outside [0, 1]. */
export type Generator<Settings> = (subject: Subject, settings: Settings) => Float32Array | Promise<Float32Array>;
