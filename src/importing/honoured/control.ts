import type { Rows } from "./row.ts";

/** Operators that are followed where they are known, rather than computed. */
export const controlRows: Rows = {
  If: { inputs: "cond", outputs: "outputs...", attributes: "then_branch else_branch" },
  Loop: { inputs: "M? cond? v_initial...", outputs: "v_final_and_scan_outputs...", attributes: "body" },
  Scan: {
    inputs: "initial_state_and_scan_inputs...",
    outputs: "final_state_and_scan_outputs...",
    attributes:
      "body directions num_scan_inputs scan_input_axes scan_input_directions scan_output_axes scan_output_directions",
  },
  SequenceConstruct: { inputs: "inputs..." },
  SequenceEmpty: { inputs: "", ignored: { dtype: "elements are of their own types" } },
  SequenceLength: { inputs: "input_sequence" },
  SequenceAt: { inputs: "input_sequence position" },
  SequenceInsert: { inputs: "input_sequence tensor position?" },
  SequenceErase: { inputs: "input_sequence position?" },
  SequenceMap: { inputs: "input_sequence additional_inputs...", outputs: "out_sequence...", attributes: "body" },
  ConcatFromSequence: { inputs: "input_sequence", attributes: "axis new_axis" },
  SplitToSequence: { inputs: "input split?", attributes: "axis keepdims" },
  Optional: { inputs: "input?", ignored: { type: "what it holds has its own type" } },
  OptionalHasElement: { inputs: "input?" },
  OptionalGetElement: { inputs: "input" },
};
