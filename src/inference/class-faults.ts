import { type ImageClass, type ImageSource, type Telling, tellFault, tellRemarks } from "../data/index.ts";
import type { TextTower } from "../models/index.ts";
import { counted, shortened, some } from "../words.ts";
import { fillTemplates } from "./templates.ts";

/** Warns of a single class: its accuracy is 1 whatever the encoder does. */
export function tellSingleClass({ name, classes = [] }: ImageSource, telling: Telling): void {
  if (classes.length !== 1) return;
  tellFault(
    `${name} has one class only, "${classes[0]!.name}": every image is taken for it, and accuracy is 100 % whatever the encoder does.`,
    telling,
  );
}

/** Warns of classes that share a row of the head: images of the later ones are all predicted as the first. */
export function tellSharedRows(classes: readonly ImageClass[], rows: readonly number[], telling: Telling): void {
  const pairs = sharing(classes, rows).map(([one, other, row]) => `${one.folder} and ${other.folder} have row ${row}`);
  if (pairs.length === 0) return;
  tellFault(
    `${counted(pairs.length, "class shares its", "classes share their")} row of the head with another (${some(pairs)}), so that no ` +
      "image of theirs counts as right. Correct the indices in the class file.",
    telling,
  );
}

/**
 * Warns of classes that share a prompt, including those that differ only in case or beyond the last token that is read:
 * no image of the later ones counts as right. Also warns of names that describe nothing visible.
 *
 * @param template one of those that the names go into
 */
export function tellSharedNames(source: ImageSource, text: TextTower, template: string, telling: Telling): void {
  tellRemarks(source, "names", telling);
  const { name, classes = [] } = source;
  const nameless = classes.filter((one) => one.name.trim() === "").map(({ folder }) => `"${folder}"`);
  if (nameless.length > 0)
    tellFault(
      `${name}: ${counted(nameless.length, "class has", "classes have")} an empty name (${some(nameless)}), so that the prompts say ` +
        "nothing of what is to be seen. Name them in the class file.",
      telling,
    );
  const prompts = classes.map((one) => {
    const [prompt] = fillTemplates([template], one.name);
    return text.tokenizer.encode(prompt!, text.contextLength).join();
  });
  const pairs = sharing(classes, prompts).map(
    ([one, other]) => `"${shortened(one.name)}" and "${shortened(other.name)}"`,
  );
  if (pairs.length === 0) return;
  tellFault(
    `${name}: ${counted(pairs.length, "class has", "classes have")} the same name as another to the text tower (${some(pairs)}), so ` +
      "that no image of theirs counts as right. Give them names of their own, in the class file or classnames.txt.",
    telling,
  );
}

/** Warns of truncated texts: the rest of such a text has no influence. */
export function tellCutTexts(encoder: string, text: TextTower, texts: readonly string[], telling: Telling): void {
  const cut = texts.filter((one) => mayBeCut(one, text) && tokens(one, text) > text.contextLength);
  const [first] = cut;
  if (first === undefined) return;
  tellFault(
    `${encoder} reads ${text.contextLength} tokens of a text, and ${cut.length} of ${counted(texts.length, "text is", "texts are")} ` +
      `longer and cut off; the first has ${tokens(first, text)}: "${shortened(first, 60)}". What stands behind does not count: shorten the ` +
      "class's name, the template or the text.",
    telling,
  );
}

/** A token stands for at least one byte, and two mark beginning and end: most texts need not be tokenised. */
function mayBeCut(one: string, { contextLength }: TextTower): boolean {
  return Buffer.byteLength(one.normalize("NFC").toLowerCase()) + 2 > contextLength;
}

function tokens(one: string, { tokenizer }: TextTower): number {
  return tokenizer.encode(one, Number.POSITIVE_INFINITY).length;
}

/** Each class with the same key as an earlier one, after that one. */
function sharing<Key>(
  classes: readonly ImageClass[],
  keys: readonly Key[],
): readonly (readonly [earlier: ImageClass, later: ImageClass, key: Key])[] {
  const known = new Map<Key, ImageClass>();
  return classes.flatMap((one, i) => {
    const key = keys[i]!;
    const earlier = known.get(key);
    if (earlier !== undefined) return [[earlier, one, key] as const];
    known.set(key, one);
    return [];
  });
}
