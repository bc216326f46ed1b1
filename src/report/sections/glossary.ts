import { escapeHtml, type Part } from "../page.ts";

const words: readonly (readonly [word: string, meaning: string])[] = [
  ["epsilon", "the farthest that an attack may move each pixel value, of 0 to 1; ±2/255 is two of a file's 256 levels"],
  ["clean", "on images as they are; robust accuracy is the share still right after each was attacked"],
  ["upper bound", "what the attack at hand left; a stronger one (AutoAttack is the usual yardstick) may leave less"],
  ["95 % interval", "where the accuracy on all such images lies, most likely; four times the images halve it"],
  ["paired", "the encoders are compared image by image; p is how often chance alone would tell them apart so far"],
  ["guessing", "naming a class at random; an encoder that does no better has collapsed"],
];

export function glossaryPart(): Part {
  const items = words.map(([word, meaning]) => `<dt>${escapeHtml(word)}</dt><dd>${escapeHtml(meaning)}</dd>`);
  return { heading: "Words", link: "Words", content: [`<dl class="glossary">${items.join("\n")}</dl>`] };
}
