import type { Rows } from "./row.ts";

const windows = "auto_pad dilations kernel_shape pads strides";
const activations = ["Relu", "Sigmoid", "Tanh", "Clip", "LeakyRelu", "HardSigmoid", "HardSwish"];

/** ONNX Runtime's own operators on channels in blocks, which it writes into files at its highest level of optimisation. */
export const blockedRows: Rows = {
  "com.microsoft.nchwc:AveragePool": { inputs: "X", attributes: `${windows} ceil_mode count_include_pad` },
  "com.microsoft.nchwc:Conv": {
    inputs: "X W B? Sum?",
    attributes: `${windows} group activation_params`,
    only: { activation: activations },
  },
  "com.microsoft.nchwc:GlobalAveragePool": { inputs: "X" },
  "com.microsoft.nchwc:GlobalMaxPool": { inputs: "X" },
  "com.microsoft.nchwc:MaxPool": { inputs: "X", attributes: `${windows} ceil_mode`, only: { storage_order: [0] } },
  "com.microsoft.nchwc:ReorderInput": { inputs: "X", only: { channels_last: [0, 1] } },
  "com.microsoft.nchwc:ReorderOutput": { inputs: "X", attributes: "channels!", only: { channels_last: [0, 1] } },
  "com.microsoft.nchwc:Upsample": {
    inputs: "X",
    attributes: "scales!",
    only: {
      mode: ["nearest", "linear"],
      coordinate_transformation_mode: ["asymmetric", "half_pixel", "align_corners"],
    },
  },
};
