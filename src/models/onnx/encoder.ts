import type { Framing } from "../../framing.ts";
import type { Value } from "../../graph/index.ts";
import { optimizedFile } from "../../optimize/index.ts";
import type { LinearClassifier } from "../classifier.ts";
import { type Encoder, type Normalization, normalize, type Parameters, type Weights } from "../encoder.ts";
import type { TextTower } from "../text/text-tower.ts";
import type { OnnxFile } from "./file.ts";
import type { ImageInput } from "./image-input.ts";
import { placeRows } from "./rows.ts";

/** The parts of an encoder made from an ONNX file. */
export interface OnnxParts {
  readonly name: string;
  readonly file: OnnxFile;
  readonly input: ImageInput;
  /** The value of the file that is the embedding. */
  readonly output: string;
  /** The file fixes the batch size at one image. */
  readonly oneAtATime: boolean;
  readonly imageSize: number;
  readonly embeddingSize: number;
  readonly framing: Framing;
  readonly normalization: Normalization;
  /** The weights that are trained, by their names in the file; all others are constants. */
  readonly parameters: Parameters;
  /** Paths of files that go along when it is saved: settings, tokeniser. */
  readonly settings: readonly string[];
  readonly head?: LinearClassifier;
  readonly headAdvice?: string;
  readonly text?: TextTower;
}

/** An encoder that is an ONNX file: the file's own graph, and the weights that are trained. */
export class OnnxEncoder implements Encoder {
  readonly name: string;
  readonly file: OnnxFile;
  readonly input: ImageInput;
  readonly output: string;
  readonly oneAtATime: boolean;
  readonly imageSize: number;
  readonly embeddingSize: number;
  readonly framing: Framing;
  readonly normalization: Normalization;
  readonly parameters: Parameters;
  readonly settings: readonly string[];
  readonly layout = "onnx";
  readonly head?: LinearClassifier;
  readonly headAdvice?: string;
  readonly text?: TextTower;

  constructor(parts: OnnxParts) {
    this.name = parts.name;
    this.file = parts.file;
    this.input = parts.input;
    this.output = parts.output;
    this.oneAtATime = parts.oneAtATime;
    this.imageSize = parts.imageSize;
    this.embeddingSize = parts.embeddingSize;
    this.framing = parts.framing;
    this.normalization = parts.normalization;
    this.parameters = parts.parameters;
    this.settings = parts.settings;
    if (parts.head) this.head = parts.head;
    if (parts.headAdvice !== undefined) this.headAdvice = parts.headAdvice;
    if (parts.text) this.text = parts.text;
  }

  withParameters(parameters: Parameters): OnnxEncoder {
    return new OnnxEncoder({ ...this, parameters });
  }

  embed(pixels: Value, weights: Weights): Value {
    return optimizedFile(this.embedNormalized(normalize(pixels, this.normalization), weights));
  }

  headFeatures(pixels: Value, weights: Weights): Value {
    return this.embed(pixels, weights);
  }

  embedNormalized(normalized: Value, weights: Weights): Value {
    const { graph: g } = normalized;
    const rows = (images: Value): Value =>
      placeRows(this, images, (name) => (this.parameters.has(name) ? weights(name) : undefined));
    const [n] = normalized.shape as [number];
    if (!this.oneAtATime || n === 1) return rows(normalized);
    const images = g.split(
      normalized,
      Array.from({ length: n }, () => 1),
    );
    return g.concat(images.map(rows), 0);
  }
}
