import type { Row, Rows } from "./row.ts";

const windows = "auto_pad dilations kernel_shape pads strides group";
const binary: Row = { inputs: "A A_scale A_zero_point? B B_scale B_zero_point? C_scale C_zero_point?" };

/** Quantised operators, the standard's and ONNX Runtime's own. */
export const quantizedRows: Rows = {
  ConvInteger: { inputs: "x w x_zero_point? w_zero_point?", attributes: windows },
  DequantizeLinear: { inputs: "x x_scale x_zero_point?", attributes: "axis", only: { block_size: [0] } },
  DynamicQuantizeLinear: { inputs: "x", outputs: "y y_scale y_zero_point" },
  MatMulInteger: { inputs: "A B a_zero_point? b_zero_point?" },
  QLinearConv: { inputs: "x x_scale x_zero_point w w_scale w_zero_point y_scale y_zero_point B?", attributes: windows },
  QLinearMatMul: { inputs: "a a_scale a_zero_point b b_scale b_zero_point y_scale y_zero_point" },
  QuantizeLinear: { inputs: "x y_scale y_zero_point?", attributes: "axis", only: { block_size: [0] } },
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
};
