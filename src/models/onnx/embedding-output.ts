import { UsageError } from "../../errors.ts";
import type { Value } from "../../graph/index.ts";
import type { OnnxModel, ValueInfo } from "../../onnx/index.ts";
import type { LinearClassifier } from "../classifier.ts";
import { Producers } from "./constants.ts";
import { isSameValue, type LinearHead, linearHead } from "./linear-head.ts";

/** Which value of a model is the embedding, and the fixed head over it, where the model has one. */
export interface EmbeddingOutput {
  readonly name: string;
  readonly head?: LinearClassifier;
  /** The output that the head makes. */
  readonly logits?: string;
  /** A note on the interpretation where the file is ambiguous. */
  readonly note?: string;
}

export interface EmbeddingHints {
  /** The name of any value of the model, which is then the embedding. */
  readonly given?: string;
  /** A text tower lies beside the file, so that its last linear layer projects into the space of both. */
  readonly hasText?: boolean;
  /** The model is one of float32 made of a quantised file. */
  readonly isQuantized?: boolean;
}

/** Names that exporters give to embeddings, CLIP's projected ones first. */
const embeddings = ["image_embeds", "image_embeddings", "embedding", "embeddings", "pooler_output", "features"];
const tokens = "last_hidden_state";
const logitsName = /logit|prob|class|score/i;

/**
 * Finds the embedding, from the graph: the output of a usual name; else what the last linear layer reads of the output that
 * comes from one, which is the fixed head; else the only output.
 *
 * @throws UsageError when there is no such value, or several may be meant
 */
export function embeddingOutput(
  model: OnnxModel,
  { given, hasText = false, isQuantized = false }: EmbeddingHints = {},
): EmbeddingOutput {
  const graph = new Producers(model);
  const outputs = model.graph.outputs.map(({ name }) => name);
  const heads = outputs.flatMap((logits): readonly Found[] => {
    const head = linearHead(graph, logits, isQuantized);
    return head ? [{ ...head, logits }] : [];
  });
  const isOver = ({ features }: Found, name: string): boolean => isSameValue(graph, features, name);
  /** A value that is the embedding, and the head over it, where there is one. */
  const over = (name: string): EmbeddingOutput => {
    const head = heads.find((found) => found.logits !== name && isOver(found, name));
    return { name, ...(head && { head: head.classifier, logits: head.logits }) };
  };
  if (given !== undefined) {
    if (outputs.includes(given) || graph.node(given)) return over(given);
    throw new UsageError(`It computes nothing called ${given}; its outputs are ${listed(model.graph.outputs)}.`);
  }
  const usual = embeddings.find((name) => outputs.includes(name));
  if (usual !== undefined) return over(usual);
  const classifiers = heads.filter((head) => isCertain(head) || !(hasText || looksLikeProjection(head)));
  const read = outputs.find((name) => classifiers.some((head) => head.logits !== name && isOver(head, name)));
  if (read !== undefined) return over(read);
  const certain = oneHead(classifiers.filter(isCertain));
  if (certain) return { name: certain.features, head: certain.classifier, logits: certain.logits };
  if (outputs.includes(tokens)) return { name: tokens };
  const likely = oneHead(classifiers);
  if (likely)
    return {
      ...{ name: likely.features, head: likely.classifier, logits: likely.logits },
      note:
        `The output ${likely.logits} comes from a linear layer to ${classesOf(likely)} values, which is taken for a classifier, ` +
        `and what it reads, ${likely.features}, for the embedding. If ${likely.logits} is itself the embedding, say ` +
        `--output ${likely.logits}.`,
    };
  const [only, second] = outputs;
  if (only === undefined || second !== undefined) throw ambiguous(model, heads);
  const [projection] = heads;
  return {
    name: only,
    ...(projection && {
      note:
        `The output ${only} comes from a linear layer to ${classesOf(projection)} values, which is taken for the embedding. ` +
        `If it is a classifier's, say --output ${projection.features}, which is what that layer reads.`,
    }),
  };
}

/** A head and the output that it makes. */
interface Found extends LinearHead {
  readonly logits: string;
}

const classesOf = ({ classifier }: LinearHead): number => classifier.weight.shape[0]!;

/** Sizes of ImageNet's class lists: 1000 classes, 21,000 in their editions, and their subsets. */
const classCounts = [1000, 1001, 11_221, 11_821, 12_000, 18_157, 21_841, 21_843];

/** A projection is a linear layer as well: names, probabilities and known numbers of classes tell them apart. */
function isCertain(head: Found): boolean {
  return head.makesProbabilities || logitsName.test(head.logits) || classCounts.includes(classesOf(head));
}

/** Embeddings have such sizes (128, 192, 384, 512 ...), numbers of classes hardly. */
function looksLikeProjection(head: LinearHead): boolean {
  return classesOf(head) >= 128 && classesOf(head) % 64 === 0;
}

/** The head that all of these are: outputs of logits and of probabilities come from one. */
function oneHead(heads: readonly Found[]): Found | undefined {
  const [first, ...others] = heads;
  const isFirst = ({ features, classifier: { weight } }: Found): boolean =>
    features === first!.features && hasNumbersOf(weight, first!.classifier.weight);
  return others.every(isFirst) ? first : undefined;
}

function hasNumbersOf(one: LinearClassifier["weight"], other: LinearClassifier["weight"]): boolean {
  return one.data.length === other.data.length && one.data.every((value, i) => value === other.data[i]);
}

function ambiguous({ graph: { outputs } }: OnnxModel, heads: readonly Found[]): UsageError {
  const read = heads.map(({ features, logits }) => `${features}, which the linear layer of ${logits} reads`);
  const more = read.length > 0 ? `, or any value between the nodes, such as ${read.join(", or ")}` : "";
  return new UsageError(
    `Which of its outputs is the embedding cannot be told: ${listed(outputs)}. Say --output NAME (in code, output) with ` +
      `the name of one of them${more}.`,
  );
}

/** Outputs with their types and shapes. */
export function listed(outputs: readonly ValueInfo[]): string {
  const shapeOf = ({ shape, unranked }: ValueInfo): string =>
    unranked ? " of unstated shape" : `[${shape.map((size) => (size === "" ? "?" : size)).join(", ")}]`;
  return outputs.map((info) => `${info.name}: ${info.dtype}${shapeOf(info)}`).join("; ");
}

/**
 * A model's output as one row per image. Feature maps [N, D, H, W] are averaged. Of tokens [N, T, D], the first one is
 * taken, which is the class token.
 *
 * @returns [N, D]
 */
export function embeddingRows(value: Value): Value {
  const { graph: g, shape } = value;
  const [n, second, third] = shape as [number, number, number];
  switch (shape.length) {
    case 2:
      return value;
    case 3:
      return g.reshape(g.slice(value, { starts: [0], ends: [1], axes: [1] }), [n, third]);
    case 4:
      return shape[2] === 1 && shape[3] === 1 ? g.reshape(value, [n, second]) : g.reduceMean(value, { axes: [2, 3] });
    default:
      throw new UsageError(
        `Its output is ${value}: an embedding is [N, D], tokens [N, T, D] or feature maps [N, D, H, W].`,
      );
  }
}
