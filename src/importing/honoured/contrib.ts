import type { Rows } from "./row.ts";

const windows = "auto_pad dilations kernel_shape pads strides";
const activations = ["Relu", "Sigmoid", "Tanh", "Clip", "LeakyRelu", "HardSigmoid", "HardSwish"];

/**
 * ONNX Runtime's own operators.
 * Source: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
 */
export const contribRows: Rows = {
  "com.microsoft:Attention": {
    inputs: "input weights bias? mask_index? past? attention_bias? !past_sequence_length",
    outputs: "output present",
    attributes: "mask_filter_value num_heads! qkv_hidden_sizes scale unidirectional",
    only: { do_rotary: [0], past_present_share_buffer: [0] },
    ignored: { rotary_embedding_dim: "of do_rotary, which is refused" },
  },
  "com.microsoft:BiasAdd": { inputs: "X bias skip" },
  "com.microsoft:BiasSoftmax": {
    inputs: "data bias",
    attributes: "axis",
    ignored: { is_inner_broadcast: "shapes say how they broadcast" },
  },
  "com.microsoft:BiasSplitGelu": { inputs: "X bias" },
  "com.microsoft:BiasGelu": { inputs: "A B" },
  "com.microsoft:FastGelu": { inputs: "X bias?" },
  "com.microsoft:FusedConv": {
    inputs: "X W B? Z?",
    attributes: `${windows} group activation_params`,
    only: { activation: activations },
  },
  "com.microsoft:FusedGemm": {
    inputs: "A B C?",
    attributes: "alpha beta transA transB activation_alpha activation_beta",
    only: { activation: activations },
  },
  "com.microsoft:FusedMatMul": {
    inputs: "A B",
    attributes: "alpha transA transB",
    only: { transBatchA: [0], transBatchB: [0] },
  },
  "com.microsoft:Gelu": { inputs: "X" },
  "com.microsoft:GroupNorm": {
    inputs: "X gamma beta",
    attributes: "epsilon groups!",
    only: { activation: [0, 1], channels_last: [0, 1] },
  },
  "com.microsoft:MultiHeadAttention": {
    inputs:
      "query key? value? bias? key_padding_mask? attention_bias? past_key? past_value? !past_sequence_length !cache_indirection",
    outputs: "output present_key present_value qk",
    attributes: "mask_filter_value num_heads! scale unidirectional",
  },
  "com.microsoft:NhwcFusedConv": {
    inputs: "X W B? Z?",
    attributes: `${windows} group activation_params`,
    only: { activation: activations },
  },
  "com.microsoft:QuickGelu": { inputs: "X", attributes: "alpha" },
  "com.microsoft:RotaryEmbedding": {
    inputs: "input position_ids cos_cache sin_cache",
    attributes: "interleaved num_heads rotary_embedding_dim",
    only: { is_packed_batching: [0], scale: [1] },
  },
  "com.microsoft:SkipLayerNormalization": {
    inputs: "input skip gamma beta? bias?",
    outputs: "output !mean !inv_std_var input_skip_bias_sum",
    attributes: "epsilon",
  },
  "com.microsoft:SkipSimplifiedLayerNormalization": {
    inputs: "input skip gamma bias?",
    outputs: "output !mean !inv_std_var input_skip_bias_sum",
    attributes: "epsilon",
  },
};
