import { existsSync } from "node:fs";
import { join } from "node:path";
import { jsonFile, readJson, type SavedFile, writeAtomically } from "../../files.ts";
import type { Encoder } from "../encoder.ts";
import { type CardFacts, type MeasuredRobustness, modelCard } from "./card.ts";

/** The facts of a card as data, so that what is measured later can join them. */
const factsFile = "lore-vision.json";

/** The model card and, where there are any, its facts. */
export function cardFiles(encoder: Encoder, facts: CardFacts): readonly SavedFile[] {
  const card: SavedFile = ["README.md", modelCard(encoder, facts)];
  return facts.training || facts.evaluations || facts.format ? [card, jsonFile(factsFile, facts)] : [card];
}

/**
 * Adds a measurement to a saved encoder's model card; one on the same images of the same data gives way to it.
 *
 * @param folder where the encoder was saved
 * @throws LoreError when the card cannot be written
 */
export function recordEvaluation(encoder: Encoder, folder: string, measured: MeasuredRobustness): void {
  const path = join(folder, factsFile);
  const facts = existsSync(path) ? (readJson(path) as CardFacts) : {};
  const isSame = ({ dataset, images }: MeasuredRobustness) =>
    dataset === measured.dataset && images === measured.images;
  const others = (facts.evaluations ?? []).filter((known) => !isSame(known));
  const { dataset, images, classes, clean, warnings = [] } = measured;
  const attacks = measured.attacks.map(({ attack, norm, epsilon, accuracy }) => ({ attack, norm, epsilon, accuracy }));
  const evaluations = [
    ...others,
    { dataset, images, classes, clean, attacks, ...(warnings.length > 0 && { warnings }) },
  ];
  for (const [name, content] of cardFiles(encoder, { ...facts, evaluations }))
    writeAtomically(join(folder, name), content);
}
