import type { ImageBatch, ImageSource } from "../../src/data/index.ts";
import { tokenRows } from "../../src/models/text/text-tower.ts";
import type { Tokenizer } from "../../src/models/text/tokenizer.ts";
import type { RandomStream } from "../../src/random.ts";

/** The texts of a batch, and for each image which of them is its own. */
export interface BatchCaptions {
  readonly texts: readonly string[];
  readonly match: readonly number[];
  /** The texts are as true of the images in other colours. */
  readonly colourless: boolean;
}

/** A source of texts about the images; whether they say nothing of colours. */
export interface Labelling {
  readonly source: ImageSource;
  readonly colourless: boolean;
}

interface Prompts extends Omit<Captions, "draw"> {
  readonly draw: (images: ImageBatch, random: RandomStream) => Omit<BatchCaptions, "colourless">;
}

export interface Captions {
  /** Most texts that a batch can have. */
  readonly perBatch: number;
  /** Tokens of the longest text. */
  readonly longest: (tokenizer: Tokenizer) => number;
  readonly draw: (images: ImageBatch, random: RandomStream) => BatchCaptions;
}

/** Whether the classes' prompts in a batch come from a template each or all from one. */
export type TemplateDraw = "class" | "batch";

/**
 * A prompt template, drawn anew, with its class's name, where the source has both: every class then stands against every
 * other in every batch. Else the images' own captions. Several labellings of the same images take turns at random, a batch
 * each.
 */
export function captionsOf(labellings: readonly Labelling[], batch: number, template: TemplateDraw): Captions {
  const all = labellings.map(({ source, colourless }) => {
    const captions = source.templates ? fromTemplates(source, template) : fromItems(source, batch);
    const draw = (images: ImageBatch, random: RandomStream) => ({ ...captions.draw(images, random), colourless });
    return { ...captions, draw };
  });
  return {
    perBatch: Math.max(...all.map(({ perBatch }) => perBatch)),
    longest: (tokenizer) => Math.max(...all.map(({ longest }) => longest(tokenizer))),
    draw: (images, random) => random.pick(all).draw(images, random),
  };
}

function fromItems(source: ImageSource, batch: number): Prompts {
  const all = source.items.map(({ caption }) => caption!);
  return {
    perBatch: batch,
    longest: (tokenizer) => longestOf([...new Set(all)], tokenizer),
    draw: ({ indices }) => {
      const own = indices.map((i) => all[i]!);
      const texts = [...new Set(own)];
      return { texts, match: own.map((text) => texts.indexOf(text)) };
    },
  };
}

function fromTemplates({ name, items, classes, templates }: ImageSource, draw: TemplateDraw): Prompts {
  if (!classes || !templates) throw new Error(`${name} has neither captions nor classes with prompt templates.`);
  // A class without images would only ever be pushed away.
  const shown = [...new Set(items.map(({ label }) => label!))].sort((p, q) => p - q);
  const place = new Map(shown.map((label, i) => [label, i]));
  const fill = (template: string, label: number): string => template.replace("{}", classes[label]!.name);
  return {
    perBatch: shown.length,
    longest: (tokenizer) =>
      longestOf(
        templates.flatMap((template) => shown.map((label) => fill(template, label))),
        tokenizer,
      ),
    draw: ({ indices }, random) => {
      const common = random.pick(templates);
      return {
        texts: shown.map((label) => fill(draw === "batch" ? common : random.pick(templates), label)),
        match: indices.map((i) => place.get(items[i]!.label!)!),
      };
    },
  };
}

function longestOf(texts: readonly string[], tokenizer: Tokenizer): number {
  return Math.max(...texts.map((text) => tokenizer.encode(text, 77).length));
}

/** The inputs of `compileContrastive` that say which text belongs to which image. */
export function matchCaptions(
  { texts, match }: BatchCaptions,
  tokenizer: Tokenizer,
  options: { readonly texts: number; readonly length: number },
) {
  const [batch, capacity] = [match.length, options.texts];
  const rows = tokenRows({ tokenizer, contextLength: options.length }, texts);
  const ids = new BigInt64Array(capacity * options.length).fill(BigInt(tokenizer.end));
  for (let t = 0; t < texts.length; t++)
    ids.set(rows.ids.subarray(t * rows.length, (t + 1) * rows.length), t * options.length);
  const describes = new Float32Array(batch * capacity);
  const described = new Float32Array(capacity * batch);
  const sizes = texts.map((_, t) => match.filter((own) => own === t).length);
  match.forEach((t, i) => {
    describes[i * capacity + t] = 1;
    described[t * batch + i] = 1 / sizes[t]!;
  });
  const used = sizes.filter((size) => size > 0).length;
  return {
    ids,
    describes,
    described,
    present: Float32Array.from({ length: capacity }, (_, t) => (t < texts.length ? 0 : -1e4)),
    share: Float32Array.from({ length: capacity }, (_, t) => (sizes[t] ? 1 / used : 0)),
  };
}
