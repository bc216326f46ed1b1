import type { Row, Rows } from "./row.ts";

const attributes = "activation_alpha activation_beta activations clip hidden_size layout";
const only = { direction: ["forward", "reverse", "bidirectional"] };
const before7 = { before7: "output_sequence" };
const row = (inputs: string, outputs: string, more = ""): Row => ({
  ...{ inputs, outputs, attributes: `${attributes} ${more}`, only, ...before7 },
});

/** Layers that are written out step by step. */
export const recurrentRows: Rows = {
  GRU: row("X W R B? sequence_lens? initial_h?", "Y Y_h", "linear_before_reset"),
  LSTM: row("X W R B? sequence_lens? initial_h? initial_c? P?", "Y Y_h Y_c", "input_forget"),
  RNN: row("X W R B? sequence_lens? initial_h?", "Y Y_h"),
};
