import { float, floats, i32, int, type KernelCase, use, word, wordList } from "./case.ts";

const lengths = i32([2, 3]);

/** Three steps of two sequences of two numbers, three units. */
function layer(
  op: string,
  gates: number,
  more: KernelCase["attributes"] = {},
  operands: KernelCase["operands"] = [],
): KernelCase {
  const directions = more.direction?.value === "bidirectional" ? 2 : 1;
  const outputs = op === "LSTM" ? [0, 1, 2] : [0, 1];
  return use(
    op,
    ["3 2 2", `${directions} ${gates * 3} 2`, `${directions} ${gates * 3} 3`, ...operands],
    { hidden_size: int(3), ...more },
    { outputs, low: -1, high: 1 },
  );
}

const full = (op: string, gates: number): readonly KernelCase[] => {
  const states = (directions: number) => [`${directions} ${gates * 6}`, lengths, `${directions} 2 3`];
  const cell = op === "LSTM" ? ["1 2 3", "1 9"] : [];
  return [
    layer(op, gates),
    layer(op, gates, {}, [...states(1), ...cell]),
    layer(op, gates, { direction: word("reverse") }, [...states(1), ...cell]),
    layer(op, gates, { direction: word("bidirectional") }, states(2)),
    { ...layer(op, gates, { clip: float(0.4) }, [`1 ${gates * 6}`]), not: "inside" },
  ];
};

export const recurrent: readonly KernelCase[] = [
  ...full("RNN", 1),
  ...full("GRU", 3),
  ...full("LSTM", 4),
  layer("GRU", 3, { linear_before_reset: int(1) }, ["1 18"]),
  layer("LSTM", 4, { input_forget: int(1) }, ["1 24", undefined, undefined, undefined, "1 9"]),
  layer("RNN", 1, { activations: wordList("Affine"), activation_alpha: floats(0.7), activation_beta: floats(0.2) }),
  layer("RNN", 1, { activations: wordList("ScaledTanh"), activation_alpha: floats(0.7), activation_beta: floats(0.8) }),
  layer("RNN", 1, { activations: wordList("LeakyRelu"), activation_alpha: floats(0.3) }),
  layer("RNN", 1, { activations: wordList("Softsign") }),
  layer(
    "GRU",
    3,
    {
      ...{ direction: word("bidirectional"), activations: wordList("HardSigmoid", "Tanh", "Sigmoid", "Elu") },
      ...{ activation_alpha: floats(0.3, 0.9), activation_beta: floats(0.4) },
    },
    ["2 18"],
  ),
];
