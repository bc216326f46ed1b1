import { describe, expect, it } from "vitest";
import { UsageError } from "../errors.ts";
import { filters } from "../framing.ts";
import { adler32, pattern } from "../testing/pattern.ts";
import { resize } from "./resize.ts";

/** From width x height to width x height: enlarged, shrunk, one side as it was, one pixel. */
const sizes = [
  [50, 40, 17, 90],
  [40, 50, 40, 20],
  [61, 47, 224, 33],
  [333, 500, 32, 31],
  [7, 5, 96, 96],
  [224, 224, 223, 225],
  [3, 200, 64, 8],
  [1, 1, 4, 6],
  [1000, 3, 10, 7],
] as const;

/** Adler-32 of the RGB bytes of Pillow 12.3, for each of the sizes. */
const pillow: Readonly<Record<(typeof filters)[number], readonly number[]>> = {
  nearest: [684646264, 2090050649, 4285282307, 1724317668, 2809460380, 2879231936, 3256766892, 1770259177, 3214042361],
  lanczos: [1491520006, 3377175111, 4159191789, 3123300704, 1062659982, 3851082388, 2816416306, 1770259177, 479422572],
  bilinear: [1949026978, 470653526, 368387349, 2887502157, 2991655562, 3404835210, 2406881665, 1770259177, 508782707],
  bicubic: [874236420, 1029413413, 2975411484, 1424607568, 3781555585, 1096201484, 3936623040, 1770259177, 437086314],
  box: [714592508, 3471940610, 2580500088, 1943456022, 2809460380, 255437328, 2222659444, 1770259177, 866347194],
  hamming: [1735904378, 206281599, 3436655388, 1127401797, 2847016873, 2859051383, 4171635597, 1770259177, 642148483],
};

describe.each(filters)("resize, %s", (filter) => {
  it.each(sizes.map((size, i) => [...size, pillow[filter][i]!] as const))(
    "gives Pillow's bytes for %ix%i -> %ix%i",
    (width, height, newWidth, newHeight, checksum) => {
      expect(adler32(resize(pattern(width, height), newWidth, newHeight, filter).data)).toBe(checksum);
    },
  );
});

it.each([0, -1, 1.5, Number.NaN])("refuses size %d", (size) => {
  expect(() => resize(pattern(4, 4), size, 4, "box")).toThrow(UsageError);
});
