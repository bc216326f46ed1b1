import type { Framing } from "../../framing.ts";
import type { Normalization } from "../encoder.ts";

/** Preprocessing that a file states for an encoder. */
export interface Stated {
  /** The file, in messages. */
  readonly source: string;
  /** Side of the square that images become, where the file states it. */
  readonly size?: number;
  /** The framing for another size; absent where the file says nothing of it. */
  readonly framing?: (size: number) => Framing;
  /** For pixels in [0, 1]: rescaling is part of it. */
  readonly normalization?: Normalization;
}
