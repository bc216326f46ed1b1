import type { Attributes } from "./model.ts";

/** How a static operand is written as a tensor: 1-D int64, one int64 as [1] or as a scalar, a scalar of the type of the node's first input, 1-D float32, a bool. */
export type OperandType = "int64s" | "int64[1]" | "int64" | "like input" | "float32s" | "bool";

/** An attribute of the canonical form that the opset takes as an input. */
export interface StaticOperand {
  /** The name of the canonical attribute. */
  readonly attribute: string;
  /** Its place among the node's inputs. */
  readonly input: number;
  readonly type: OperandType;
  /** The first opset with the input; before it the operand was an attribute. Unset: it always was an input. */
  readonly since?: number;
}

/** Differences of an operator between opsets 7 and 26. An operator without an entry is the same in all of them. */
export interface OperatorFacts {
  /** The first opset that has the operator, or has it with its present meaning. */
  readonly since?: number;
  readonly operands?: readonly StaticOperand[];
  /** The attribute that is an element type: a name in the canonical form, ONNX's number in a file. */
  readonly elementType?: string;
  /** Attributes that are lists of words: joined by commas in the canonical form. */
  readonly words?: readonly string[];
  /** ONNX's defaults for missing attributes. Canonical nodes always carry these. */
  readonly defaults?: Attributes;
  /** Attributes that came after opset 13, and the opset: an older one gets the node if the attribute has its default. */
  readonly added?: Readonly<Record<string, number>>;
  /** Attributes whose words changed: before opset `until`, the canonical word (left) was written as the right one. */
  readonly renamed?: {
    readonly attribute: string;
    readonly until: number;
    readonly words: Readonly<Record<string, string>>;
  };
}

const axes = (since?: number): StaticOperand[] => [
  { attribute: "axes", input: 1, type: "int64s", ...(since === undefined ? {} : { since }) },
];
const reduction = (since: number): OperatorFacts => ({ operands: axes(since), defaults: { keepdims: 1 } });
const argument: OperatorFacts = { defaults: { axis: 0, keepdims: 1, select_last_index: 0 } };

const convolution: OperatorFacts = { defaults: { auto_pad: "NOTSET", group: 1 } };

/**
 * Every difference between opsets that matters here, by operator.
 * Source: https://github.com/onnx/onnx/blob/main/docs/Changelog.md
 */
export const operators: Readonly<Record<string, OperatorFacts>> = {
  // Static operands.
  Reshape: {
    operands: [{ attribute: "shape", input: 1, type: "int64s" }],
    defaults: { allowzero: 0 },
    added: { allowzero: 14 },
  },
  Expand: { operands: [{ attribute: "shape", input: 1, type: "int64s" }] },
  Tile: { operands: [{ attribute: "repeats", input: 1, type: "int64s" }] },
  Squeeze: { operands: axes(13) },
  Unsqueeze: { operands: axes(13) },
  Slice: {
    operands: [
      { attribute: "starts", input: 1, type: "int64s" },
      { attribute: "ends", input: 2, type: "int64s" },
      { attribute: "axes", input: 3, type: "int64s" },
      { attribute: "steps", input: 4, type: "int64s" },
    ],
  },
  Pad: {
    operands: [
      { attribute: "pads", input: 1, type: "int64s" },
      { attribute: "value", input: 2, type: "like input" },
      { attribute: "axes", input: 3, type: "int64s" },
    ],
    defaults: { mode: "constant" },
    added: { axes: 18 },
  },
  Split: { operands: [{ attribute: "split", input: 1, type: "int64s", since: 13 }], defaults: { axis: 0 } },
  Clip: {
    operands: [
      { attribute: "min", input: 1, type: "like input" },
      { attribute: "max", input: 2, type: "like input" },
    ],
  },
  TopK: {
    operands: [{ attribute: "k", input: 1, type: "int64[1]" }],
    defaults: { axis: -1, largest: 1, sorted: 1 },
  },
  CumSum: {
    operands: [{ attribute: "axis", input: 1, type: "int64" }],
    defaults: { exclusive: 0, reverse: 0 },
  },
  Trilu: { since: 14, operands: [{ attribute: "k", input: 1, type: "int64" }], defaults: { k: 0, upper: 1 } },
  Dropout: {
    operands: [
      { attribute: "ratio", input: 1, type: "like input", since: 12 },
      { attribute: "training_mode", input: 2, type: "bool", since: 12 },
    ],
  },
  CenterCropPad: { operands: [{ attribute: "shape", input: 1, type: "int64s" }] },
  Col2Im: {
    operands: [
      { attribute: "image_shape", input: 1, type: "int64s" },
      { attribute: "block_shape", input: 2, type: "int64s" },
    ],
  },
  CumProd: { operands: [{ attribute: "axis", input: 1, type: "int64" }], defaults: { exclusive: 0, reverse: 0 } },
  MaxUnpool: { operands: [{ attribute: "output_shape", input: 2, type: "int64s" }] },
  AffineGrid: { operands: [{ attribute: "size", input: 1, type: "int64s" }], defaults: { align_corners: 0 } },
  Resize: {
    operands: [
      { attribute: "roi", input: 1, type: "float32s" },
      { attribute: "scales", input: 2, type: "float32s" },
      { attribute: "sizes", input: 3, type: "int64s" },
    ],
    defaults: {
      mode: "nearest",
      coordinate_transformation_mode: "half_pixel",
      nearest_mode: "round_prefer_floor",
      cubic_coeff_a: -0.75,
      exclude_outside: 0,
      extrapolation_value: 0,
      antialias: 0,
      keep_aspect_ratio_policy: "stretch",
    },
    added: { antialias: 18, keep_aspect_ratio_policy: 18, axes: 18 },
  },
  Upsample: { operands: [{ attribute: "scales", input: 1, type: "float32s" }], defaults: { mode: "nearest" } },

  // Reductions.
  ReduceSum: reduction(13),
  ReduceMean: reduction(18),
  ReduceMax: reduction(18),
  ReduceMin: reduction(18),
  ReduceProd: reduction(18),
  ReduceL1: reduction(18),
  ReduceL2: reduction(18),
  ReduceSumSquare: reduction(18),
  ReduceLogSum: reduction(18),
  ReduceLogSumExp: reduction(18),
  ArgMax: argument,
  ArgMin: argument,

  // Operators that came, or got their present meaning, after opset 13. Earlier opsets cannot express them.
  HardSwish: { since: 14 },
  CastLike: { since: 15 },
  Mish: { since: 18 },
  GroupNormalization: { since: 21, defaults: { epsilon: 1e-5 } },

  // Attributes that grew.
  Shape: { defaults: { start: 0 }, added: { start: 15, end: 15 } },
  BatchNormalization: {
    defaults: { epsilon: 1e-5, momentum: 0.9, training_mode: 0 },
    added: { training_mode: 14 },
  },
  ScatterElements: { defaults: { axis: 0, reduction: "none" }, added: { reduction: 16 } },
  ScatterND: { defaults: { reduction: "none" }, added: { reduction: 16 } },
  AveragePool: {
    defaults: { auto_pad: "NOTSET", ceil_mode: 0, count_include_pad: 0 },
    added: { dilations: 19 },
  },
  LpPool: { defaults: { auto_pad: "NOTSET", p: 2 }, added: { ceil_mode: 18, dilations: 18 } },
  GridSample: {
    since: 16,
    defaults: { mode: "linear", padding_mode: "zeros", align_corners: 0 },
    renamed: { attribute: "mode", until: 20, words: { linear: "bilinear", cubic: "bicubic" } },
  },

  Cast: { elementType: "to" },
  RNN: { words: ["activations"] },
  LSTM: { words: ["activations"] },
  GRU: { words: ["activations"] },
  EyeLike: { elementType: "dtype", defaults: { k: 0 } },

  // The same in every opset; only the defaults are spelled out.
  Gather: { defaults: { axis: 0 } },
  GatherElements: { defaults: { axis: 0 } },
  GatherND: { defaults: { batch_dims: 0 } },
  Softmax: { defaults: { axis: -1 } },
  Hardmax: { defaults: { axis: -1 } },
  LogSoftmax: { defaults: { axis: -1 } },
  Gemm: { defaults: { alpha: 1, beta: 1, transA: 0, transB: 0 } },
  LayerNormalization: { defaults: { axis: -1, epsilon: 1e-5 } },
  InstanceNormalization: { defaults: { epsilon: 1e-5 } },
  Gelu: { defaults: { approximate: "none" } },
  Swish: { defaults: { alpha: 1 } },
  Conv: convolution,
  ConvTranspose: convolution,
  MaxPool: { defaults: { auto_pad: "NOTSET", ceil_mode: 0, storage_order: 0 } },
  Flatten: { defaults: { axis: 1 } },
  DepthToSpace: { defaults: { mode: "DCR" } },
  OneHot: { defaults: { axis: -1 } },
  LeakyRelu: { defaults: { alpha: 0.01 } },
  Elu: { defaults: { alpha: 1 } },
  HardSigmoid: { defaults: { alpha: 0.2, beta: 0.5 } },
};

/** Attributes that ONNX types as floats; every other number is an int. */
export const floatAttributes: ReadonlySet<string> = new Set([
  "alpha",
  "beta",
  "bias",
  "cubic_coeff_a",
  "epsilon",
  "extrapolation_value",
  "gamma",
  "high",
  "lambd",
  "low",
  "mask_filter_value",
  "mean",
  "momentum",
  "ratio",
  "scale",
  "seed",
  "softcap",
  "spatial_scale",
  "threshold",
  "value_float",
  "value_floats",
]);

/** Attributes that are lists. Attributes that are lists for some operators only are not in this set. */
const listAttributes: ReadonlySet<string> = new Set(
  (
    "activation_params axes block_shape dilations ends image_shape kernel_shape output_padding output_shape pads perm " +
    "qkv_hidden_sizes repeats roi scales shape sizes split starts steps strides"
  ).split(" "),
);
const eitherAttributes: ReadonlySet<string> = new Set(["activation_alpha", "activation_beta"]);

/** Whether an attribute of this name is a list; undefined where it may or may not be. */
export const isListAttribute = (name: string): boolean | undefined =>
  eitherAttributes.has(name) ? undefined : listAttributes.has(name);

/** The facts about a standard operator; nothing is known about other domains' operators. */
export const factsOf = (op: string, domain: string): OperatorFacts => (domain === "" ? operators[op] : undefined) ?? {};
