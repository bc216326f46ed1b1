/** Pillow's resampling filters by their codes: `filters[3]` is bicubic. */
export const filters = ["nearest", "lanczos", "bilinear", "bicubic", "box", "hamming"] as const;

export type Filter = (typeof filters)[number];

/** Resizing of an image before its centre is cropped. */
export type Resize =
  | { readonly kind: "none" }
  /** The shorter edge becomes `edge` pixels; the longer one keeps its proportion, rounded down. */
  | { readonly kind: "shortest"; readonly edge: number; readonly filter: Filter }
  /** The proportions are not kept. */
  | { readonly kind: "exact"; readonly width: number; readonly height: number; readonly filter: Filter };

/**
 * Where the centre lies when the margins are odd: `down` rounds the smaller margin down, as transformers does; `even` rounds
 * halves to even, as torchvision does, and with it timm and open_clip. `none` cuts nothing: what does not fit by itself
 * is an error.
 */
export type Crop = "down" | "even" | "none";

/** Framing of an image of any size as an encoder's square input. An image smaller than the square gets black margins. */
export interface Framing {
  /** Side of the square in pixels. */
  readonly size: number;
  readonly resize: Resize;
  readonly crop: Crop;
}

/** Default framing: torchvision's `Resize(size, bicubic)` and `CenterCrop(size)`. */
export function usualFraming(size: number): Framing {
  return { size, resize: { kind: "shortest", edge: size, filter: "bicubic" }, crop: "even" };
}

/** Framing that leaves images unchanged; those of another size are errors. */
export function asTheyAre(size: number): Framing {
  return { size, resize: { kind: "none" }, crop: "none" };
}

/** Form in which images are read: squares of one size. */
export type ImageForm =
  /** As an encoder takes them: its own `framing`. */
  | { readonly framing: Framing }
  /** Side of the square in pixels: the usual framing, or with `exact` images as they are. */
  | { readonly size: number; readonly exact?: boolean };

export function framingOf(form: ImageForm): Framing {
  if ("framing" in form) return form.framing;
  return form.exact ? asTheyAre(form.size) : usualFraming(form.size);
}

/**
 * Offset of the square in the resized image; negative if the image is smaller.
 *
 * @param margin size of the resized image minus size of the square
 */
export function cropOffset(margin: number, crop: Exclude<Crop, "none">): number {
  const half = Math.floor(margin / 2);
  if (crop === "down" || margin % 2 === 0) return half;
  // torchvision cuts at `int(round(margin / 2))`, and Python rounds halves to even; it pads by `-margin // 2` in front.
  return margin < 0 || half % 2 !== 0 ? half + 1 : half;
}

/** The same framing for another size of square. The resized size scales in proportion, rounded down. */
export function framingAt(framing: Framing, size: number): Framing {
  if (framing.size === size) return framing;
  const scaled = (pixels: number): number => Math.max(1, Math.floor((pixels * size) / framing.size));
  return { ...framing, size, resize: scaledResize(framing.resize, scaled) };
}

function scaledResize(resize: Resize, scaled: (pixels: number) => number): Resize {
  switch (resize.kind) {
    case "none":
      return resize;
    case "shortest":
      return { ...resize, edge: scaled(resize.edge) };
    case "exact":
      return { ...resize, width: scaled(resize.width), height: scaled(resize.height) };
  }
}

/** Whether two framings give the same result for every image, up to the rounding of an odd margin. */
export function sameFraming(one: Framing, other: Framing): boolean {
  return describeFraming(one) === describeFraming(other);
}

/** `shorter edge to 256 pixels (bicubic), centre 224 x 224 cut out` */
export function describeFraming({ size, resize, crop }: Framing): string {
  const square = `${size} x ${size}`;
  const cut = crop === "none" ? `nothing cut: they must be ${square} then` : `centre ${square} cut out`;
  switch (resize.kind) {
    case "none":
      return crop === "none" ? `taken as they are, ${square} pixels` : `not resized, ${cut}`;
    case "shortest":
      return `shorter edge to ${resize.edge} pixels (${resize.filter}), ${cut}`;
    case "exact": {
      const { width, height, filter } = resize;
      const stretched = `stretched to ${width} x ${height} pixels (${filter})`;
      return width === size && height === size ? stretched : `${stretched}, ${cut}`;
    }
  }
}
