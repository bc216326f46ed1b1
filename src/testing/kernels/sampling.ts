import { f32, float, i64, int, ints, type KernelCase, use, word } from "./case.ts";

const modes = ["linear", "nearest", "cubic"];
const paddings = ["zeros", "border", "reflection"];

/** Grids reach beyond the image on all sides; where they cross pixels, slopes change. */
const grids: readonly KernelCase[] = modes.flatMap((mode) =>
  paddings.flatMap((padding) =>
    [0, 1].map((corners) =>
      use(
        "GridSample",
        ["2 2 4 3", "2 3 2 2"],
        { mode: word(mode), padding_mode: word(padding), align_corners: int(corners) },
        { opset: 20, ...(mode === "nearest" && { not: "inside" }) },
      ),
    ),
  ),
);

const regions = f32([0.6, 0.4, 5.3, 4.2, 1.1, 1.9, 3.2, 5.4], [2, 4]);
const aligned = (attributes: KernelCase["attributes"], opset = 16): KernelCase =>
  use(
    "RoiAlign",
    ["2 2 6 7", regions, i64([1, 0])],
    { output_height: int(2), output_width: int(3), ...attributes },
    { opset },
  );

const deformed = (operands: KernelCase["operands"], attributes: KernelCase["attributes"] = {}): KernelCase =>
  use("DeformConv", operands, attributes, { opset: 19 });

export const sampling: readonly KernelCase[] = [
  ...grids,
  use("GridSample", ["1 2 3 4 3", "1 2 3 2 3"], {}, { opset: 20 }),
  use("GridSample", ["1 2 4 3", "1 3 2 2"], { mode: word("bicubic") }, { opset: 16 }),
  use("AffineGrid", ["2 2 3", i64([2, 3, 3, 4])], {}, { opset: 20 }),
  use("AffineGrid", ["1 3 4", i64([1, 1, 2, 3, 4])], { align_corners: int(1) }, { opset: 20 }),
  aligned({ sampling_ratio: int(2) }),
  aligned({ spatial_scale: float(0.5) }),
  aligned({ sampling_ratio: int(2), mode: word("max") }),
  use(
    "RoiAlign",
    ["1 2 6 7", "2 4", i64([0, 0])],
    { output_height: int(1), output_width: int(2), sampling_ratio: int(1) },
    { low: 0.5, high: 4.5 },
  ),
  aligned({ sampling_ratio: int(2), coordinate_transformation_mode: word("output_half_pixel") }),
  aligned({ spatial_scale: float(0.25) }, 10),
  deformed(["1 2 4 4", "2 2 2 3", "1 12 3 1"], { pads: ints(0, 0, 0, 0), strides: ints(1, 2) }),
  deformed(["2 4 5 4", "4 2 2 2", "2 16 3 2", "4", "2 8 3 2"], {
    ...{ group: int(2), offset_group: int(2), strides: ints(2, 2) },
    pads: ints(1, 0, 1, 1),
  }),
];
