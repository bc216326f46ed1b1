import { counted } from "../words.ts";
import { imageExtensions } from "./decode.ts";
import { leftOutByName } from "./left-out.ts";
import type { Remark } from "./source.ts";

/** Names of samples or entries that listing a WebDataset skips, or reads in a way worth reporting. */
export class WebDatasetTally {
  /** Samples without an image that is read. */
  readonly withoutImage: string[] = [];
  /** Samples with several images. */
  readonly several: string[] = [];
  /** Images whose names have dots before the extension. */
  readonly dotted: string[] = [];
  /** Entries without an extension. */
  readonly unnamed: string[] = [];

  /** @param path What the data is called. */
  remarks(path: string): readonly Remark[] {
    const { withoutImage, several, dotted } = this;
    const said = (kind: Remark["kind"], names: readonly string[], message: () => string): readonly Remark[] =>
      names.length === 0 ? [] : [{ kind, message: `${path}: ${message()}` }];
    return [
      ...said(
        "fault",
        withoutImage,
        () =>
          `${counted(withoutImage.length, "sample has", "samples have")} no image that can be told, and ` +
          `${withoutImage.length === 1 ? "is" : "are"} left out (the first is ${withoutImage[0]}). Read is KEY.jpg, where KEY ` +
          `has no dot, or another of ${imageExtensions.join(", ")}: rename or convert them.`,
      ),
      ...said(
        "fault",
        several,
        () =>
          `${counted(several.length, "sample has", "samples have")} several images, of which one counts and the others are ` +
          `left out (the first is ${several[0]}). Give each image a key of its own.`,
      ),
      ...leftOutByName(path, this.unnamed),
      ...said(
        "fact",
        dotted,
        () =>
          `${counted(dotted.length, "image has", "images have")} a dot in the name before the extension (the first is ` +
          `${dotted[0]}). They are read as images of their own; WebDataset itself ends a key at the first dot.`,
      ),
    ];
  }
}
