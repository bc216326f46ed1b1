import { f32, i64, type KernelCase, type Operand, type PlainAttributes, use } from "./case.ts";

const resize = (
  operands: readonly Operand[],
  attributes: PlainAttributes,
  more: Partial<KernelCase> = {},
  image = "1 2 5 6",
): KernelCase => use("Resize", [image, undefined, ...operands], attributes, { opset: 19, ...more });

const up = [f32([1, 1, 2, 1.5])];
const down = [f32([1, 1, 0.6, 0.5])];
const sizes = [undefined, i64([1, 2, 7, 4])];

const everyMode: readonly KernelCase[] = [
  ...["half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric"].flatMap((coordinate_transformation_mode) =>
    ["linear", "cubic"].flatMap((mode) =>
      [up, down, sizes].map((operands) => resize(operands, { mode, coordinate_transformation_mode })),
    ),
  ),
  ...["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"].flatMap((nearest_mode) =>
    [up, down, sizes].map((operands) =>
      resize(operands, { mode: "nearest", nearest_mode, coordinate_transformation_mode: "asymmetric" }),
    ),
  ),
];

/** A part of the image, and more than there is of it; by scales, parts that are as large as the image. */
const crops: readonly KernelCase[] = ["linear", "cubic", "nearest"].flatMap((mode) =>
  (
    [
      [
        [0, 0, 0.2, 0.1, 1, 1, 0.8, 0.6],
        [undefined, i64([1, 2, 4, 5])],
      ],
      [
        [0, 0, -0.3, 0.1, 1, 1, 1.2, 1.4],
        [undefined, i64([1, 2, 4, 5])],
      ],
      [[0, 0, -0.25, 0.125, 1, 1, 0.75, 1.125], [f32([1, 1, 1.5, 0.8])]],
    ] as const
  ).map(([roi, operands]) =>
    use(
      "Resize",
      ["1 2 5 6", f32(roi), ...operands],
      { mode, coordinate_transformation_mode: "tf_crop_and_resize", extrapolation_value: 2.5 },
      { opset: 19 },
    ),
  ),
);

const proportions: readonly KernelCase[] = ["not_larger", "not_smaller"].flatMap((keep_aspect_ratio_policy) =>
  ["linear", "nearest"].map((mode) =>
    resize([undefined, i64([7, 4])], { mode, axes: [2, 3], keep_aspect_ratio_policy }),
  ),
);

export const resizes: readonly KernelCase[] = [
  ...everyMode,
  ...crops,
  ...proportions,
  resize(up, { mode: "nearest" }),
  resize(up, { mode: "cubic", cubic_coeff_a: -0.5, exclude_outside: 1 }),
  resize(down, { mode: "linear", antialias: 1 }),
  resize(down, { mode: "cubic", antialias: 1, cubic_coeff_a: -0.5 }, {}, "1 2 9 8"),
  resize([undefined, i64([3, 8])], { mode: "linear", axes: [2, 3] }),
  use("Resize", ["1 2 5 6", f32([]), ...up], { mode: "linear" }, { opset: 11 }),
  use(
    "Resize",
    ["1 2 5 6", f32([]), f32([1, 1, 2, 1.5])],
    {
      ...{ mode: "nearest", coordinate_transformation_mode: "tf_half_pixel_for_nn", nearest_mode: "floor" },
    },
    { opset: 11 },
  ),
  // As opsets before 11 had it.
  use("Upsample", ["2 4 5 6"], { scales: [1, 1, 2, 3] }, { opset: 7 }),
  use("Upsample", ["2 4 5 6", f32([1, 1, 2, 1.5])], { mode: "linear" }, { opset: 9 }),
  use("Resize", ["2 4 5 6", f32([1, 1, 2, 3])], { mode: "nearest" }, { opset: 10 }),
  use("Resize", ["2 4 5 6", f32([1, 1, 0.5, 0.4])], {}, { opset: 10 }),
];
