import type { Row, Rows } from "./row.ts";

const windows = "auto_pad dilations kernel_shape pads strides group";
const binary: Row = { inputs: "A A_scale A_zero_point? B B_scale B_zero_point? C_scale C_zero_point?" };

/** Quantised operators, the standard's and ONNX Runtime's own. */
export const quantizedRows: Rows = {
  ConvInteger: { inputs: "x w x_zero_point? w_zero_point?", attributes: windows },
  DequantizeLinear: {
    inputs: "x x_scale x_zero_point?",
    attributes: "axis block_size",
    only: { output_dtype: [0, 1] },
  },
  DynamicQuantizeLinear: { inputs: "x", outputs: "y y_scale y_zero_point" },
  MatMulInteger: { inputs: "A B a_zero_point? b_zero_point?" },
  QLinearConv: { inputs: "x x_scale x_zero_point w w_scale w_zero_point y_scale y_zero_point B?", attributes: windows },
  QLinearMatMul: { inputs: "a a_scale a_zero_point b b_scale b_zero_point y_scale y_zero_point" },
  QuantizeLinear: {
    inputs: "x y_scale y_zero_point?",
    attributes: "axis block_size output_dtype",
    ignored: { precision: "quotients are of float32", saturate: "of 8-bit floating-point numbers, which are refused" },
  },
  "com.microsoft:QGemm": {
    inputs: "A a_scale a_zero_point B b_scale b_zero_point C? y_scale? y_zero_point?",
    attributes: "alpha transA transB",
  },
  "com.microsoft:QLinearAdd": binary,
  "com.microsoft:QLinearConcat": { inputs: "Y_scale Y_zero_point inputs...", attributes: "axis" },
  "com.microsoft:QLinearGlobalAveragePool": {
    inputs: "X x_scale x_zero_point? y_scale y_zero_point?",
    only: { channels_last: [0] },
  },
  "com.microsoft:QLinearLeakyRelu": {
    inputs: "X X_scale X_zero_point? Y_scale Y_zero_point?",
    attributes: "alpha",
  },
  "com.microsoft:QLinearMul": binary,
  "com.microsoft:QLinearSigmoid": { inputs: "X X_scale X_zero_point? Y_scale Y_zero_point?" },
  "com.microsoft:DequantizeLinear": { inputs: "x x_scale x_zero_point?", attributes: "axis" },
  "com.microsoft:DynamicQuantizeMatMul": { inputs: "A B b_scale b_zero_point? bias?" },
  "com.microsoft:MatMulIntegerToFloat": { inputs: "A B a_scale b_scale a_zero_point? b_zero_point? bias?" },
  "com.microsoft:MatMulNBits": {
    inputs: "A B scales zero_points? !g_idx bias?",
    attributes: "K! N! bits block_size!",
    only: { weight_prepacked: [0] },
    ignored: { accuracy_level: "products are of float32" },
  },
  "com.microsoft:QAttention": {
    inputs: "input weight bias input_scale weight_scale mask_index? input_zero_point? weight_zero_point? past?",
    outputs: "output present",
    attributes: "mask_filter_value num_heads! scale unidirectional",
    only: { do_rotary: [0], past_present_share_buffer: [0] },
  },
  "com.microsoft:QLinearAveragePool": {
    inputs: "X x_scale x_zero_point? y_scale y_zero_point?",
    attributes: "auto_pad ceil_mode count_include_pad kernel_shape! pads strides",
    only: { channels_last: [0] },
  },
  "com.microsoft:QLinearSoftmax": {
    inputs: "X X_scale x_zero_point? y_scale y_zero_point",
    attributes: "axis",
    only: { opset: [13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26] },
  },
  "com.microsoft:QuantizeLinear": { inputs: "x y_scale y_zero_point?", attributes: "axis" },
};
