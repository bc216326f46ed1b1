import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import { afterAll, describe, expect, test, vi } from "vitest";
import { embedImages } from "../../inference/index.ts";
import { encodeModel, type OnnxAttribute, type OnnxModel, type OnnxNode } from "../../onnx/index.ts";
import { randomStream } from "../../random.ts";
import { elementCount, type Tensor } from "../../tensor/tensor.ts";
import { randomImages } from "../../testing/tiny.ts";
import { loadEncoder } from "../load.ts";
import { normalizations } from "../normalizations.ts";

const base = mkdtempSync(join(tmpdir(), "lore-linear-head-"));
afterAll(() => rmSync(base, { recursive: true, force: true }));
let count = 0;

const plain = { normalization: normalizations.none };
const [width, classes] = [6, 5];

type Attributes = Readonly<Record<string, number | readonly number[]>>;
type Step = readonly [op: string, inputs: readonly string[], output: string, attributes?: Attributes];

function attribute(value: number | readonly number[]): OnnxAttribute {
  if (typeof value === "object") return { kind: "ints", value };
  return Number.isInteger(value) ? { kind: "int", value } : { kind: "float", value };
}

const nodeOf = ([op, inputs, output, attributes = {}]: Step): OnnxNode => ({
  ...{ op, domain: "", name: `/${output}`, inputs, outputs: [output] },
  attributes: Object.fromEntries(Object.entries(attributes).map(([name, value]) => [name, attribute(value)])),
});

const random = randomStream("linear head");
const drawn = (...shape: readonly number[]): Tensor => ({
  ...{ dtype: "float32", shape },
  data: Float32Array.from({ length: elementCount(shape) }, () => random.normal()),
});
const ints = (...values: readonly number[]): Tensor => ({
  ...{ dtype: "int64", shape: [values.length] },
  data: BigInt64Array.from(values, BigInt),
});
const floats = (shape: readonly number[], ...values: readonly number[]): Tensor => ({
  ...{ dtype: "float32", shape },
  data: Float32Array.from(values),
});

const tensors = new Map<string, Tensor>([
  ["stem", drawn(width, 3, 3, 3)],
  ["CD", drawn(classes, width)],
  ["DC", drawn(width, classes)],
  ["CD11", drawn(classes, width, 1, 1)],
  ["wide", drawn(width, 128)],
  ["b", drawn(classes)],
  ["b1", drawn(1, classes)],
  ["b11", drawn(classes, 1, 1)],
  ["step", floats([], 1)],
  ["zero point", { dtype: "uint8", shape: [], data: Uint8Array.of(128) }],
  ["rows", ints(0, -1)],
  ["DC shape", ints(width, -1)],
  ["spatial", ints(2, 3)],
  ["four", floats([], 4)],
  ["rates", floats([classes], 1, -2, 0.5, 3, 1.5)],
  ["low", floats([], -90)],
  ["high", floats([], 90)],
  ["zero", floats([], 0)],
]);

/** A convolution, a rectifier, and these steps behind its map `map` [N, 6, 6, 6], its mean `mean` and that as rows, `x`. */
function network(steps: readonly Step[], outputs: readonly (readonly [string, readonly number[]])[]): OnnxModel {
  const all: readonly Step[] = [
    ["Conv", ["image", "stem"], "stem map"],
    ["Relu", ["stem map"], "map"],
    ["GlobalAveragePool", ["map"], "mean"],
    ["Flatten", ["mean"], "x"],
    ...steps,
  ];
  const used = new Set(all.flatMap(([, inputs]) => inputs));
  return {
    ...{ irVersion: 8, opsets: new Map([["", 13]]), producerName: "tests", producerVersion: "1", metadata: new Map() },
    graph: {
      name: "network",
      nodes: all.map(nodeOf),
      inputs: [{ name: "image", dtype: "float32", shape: ["n", 3, 8, 8] }],
      outputs: outputs.map(([name, shape]) => ({ name, dtype: "float32", shape: ["n", ...shape] })),
      initializers: new Map([...tensors].filter(([name]) => used.has(name))),
    },
  };
}

function write(model: OnnxModel): string {
  const path = join(base, `${count++}.onnx`);
  writeFileSync(path, encodeModel(model).bytes);
  return path;
}

const pixels = randomImages(3, { size: 8 });

/** The value of an output in ONNX Runtime. */
async function outputOf(path: string, name: string): Promise<Float32Array> {
  const session = await InferenceSession.create(path, { intraOpNumThreads: 1 });
  const made = await session.run({ image: new OrtTensor("float32", pixels, [3, 3, 8, 8]) });
  await session.release();
  return made[name]!.data as Float32Array;
}

const gemm: Step = ["Gemm", ["x", "CD", "b"], "y", { transB: 1 }];
const heads: readonly (readonly [string, readonly Step[]])[] = [
  ["Gemm", [gemm]],
  ["Gemm of the other order, without bias", [["Gemm", ["x", "DC"], "y"]]],
  ["Gemm with factors", [["Gemm", ["x", "DC", "b1"], "y", { alpha: 0.5, beta: 1.5 }]]],
  ["MatMul", [["MatMul", ["x", "DC"], "y"]]],
  [
    "MatMul and Add",
    [
      ["MatMul", ["x", "DC"], "p"],
      ["Add", ["p", "b"], "y"],
    ],
  ],
  [
    "Add and MatMul",
    [
      ["MatMul", ["x", "DC"], "p"],
      ["Add", ["b1", "p"], "y"],
    ],
  ],
  [
    "MatMul by a transposed weight",
    [
      ["Transpose", ["CD"], "w", { perm: [1, 0] }],
      ["MatMul", ["x", "w"], "y"],
    ],
  ],
  [
    "Gemm by a weight transposed by default",
    [
      ["Transpose", ["CD"], "w"],
      ["Gemm", ["x", "w", "b"], "y"],
    ],
  ],
  [
    "MatMul by a reshaped weight",
    [
      ["Reshape", ["CD11", "DC shape"], "w"],
      ["MatMul", ["x", "w"], "y"],
    ],
  ],
  [
    "Gemm by a squeezed weight",
    [
      ["Flatten", ["CD11"], "w", { axis: 1 }],
      ["Gemm", ["x", "w"], "y", { transB: 1 }],
    ],
  ],
  [
    "convolution of the mean",
    [
      ["Conv", ["mean", "CD11", "b"], "c"],
      ["Flatten", ["c"], "y"],
    ],
  ],
  [
    "convolution, reshaped",
    [
      ["Conv", ["mean", "CD11"], "c"],
      ["Reshape", ["c", "rows"], "y"],
    ],
  ],
  [
    "convolution and Add",
    [
      ["Conv", ["mean", "CD11"], "c"],
      ["Add", ["c", "b11"], "d"],
      ["Flatten", ["d"], "y"],
    ],
  ],
  [
    "convolution of the map, then its mean",
    [
      ["Conv", ["map", "CD11", "b"], "c"],
      ["GlobalAveragePool", ["c"], "m"],
      ["Flatten", ["m"], "y"],
    ],
  ],
  [
    "convolution of the map, ReduceMean",
    [
      ["Conv", ["map", "CD11", "b"], "c"],
      ["ReduceMean", ["c"], "y", { axes: [-2, -1], keepdims: 0 }],
    ],
  ],
  ["scaled", [gemm, ["Mul", ["y", "four"], "z"], ["Sub", ["z", "b"], "u"], ["Div", ["u", "rates"], "v"]]],
  [
    "behind Dropout",
    [
      ["Dropout", ["x"], "d"],
      ["Gemm", ["d", "CD", "b"], "y", { transB: 1 }],
      ["Identity", ["y"], "o"],
    ],
  ],
];

describe.each(heads)("a classifier by %s", (_, steps) => {
  const last = steps.at(-1)![2];
  const plainPath = write(network(steps, [[last, [classes]]]));

  test.each<readonly [string, readonly Step[]]>([
    ["nothing", []],
    ["Softmax", [["Softmax", [last], "output", { axis: 1 }]]],
    ["Sigmoid", [["Sigmoid", [last], "output"]]],
    [
      "LogSoftmax",
      [
        ["LogSoftmax", [last], "logs", { axis: -1 }],
        ["Identity", ["logs"], "output"],
      ],
    ],
    [
      "bounds of a quantised file",
      [
        ["QuantizeLinear", [last, "step", "zero point"], "integers"],
        ["DequantizeLinear", ["integers", "step", "zero point"], "output"],
      ],
    ],
  ])("behind it %s: embedding and head give ONNX Runtime's logits", async (_, behind) => {
    const path = write(network([...steps, ...behind], [[behind.at(-1)?.[2] ?? last, [classes]]]));
    const encoder = await loadEncoder(path, plain);
    expect([encoder.embeddingSize, encoder.head?.weight.shape]).toEqual([width, [classes, width]]);
    const embeddings = await embedImages(encoder, pixels, { threads: 1 });
    const wanted = await outputOf(plainPath, last);
    const { weight, bias } = encoder.head!;
    for (const [i, logit] of wanted.entries()) {
      const [row, c] = [Math.floor(i / classes), i % classes];
      const own = Array.from({ length: width }, (_, d) => embeddings[row * width + d]! * weight.data[c * width + d]!);
      // Sums of six products of order 1, times at most eight, in float32.
      expect(own.reduce((a, b) => a + b, bias.data[c]!)).toBeCloseTo(logit, 4);
    }
  });
});

describe("what is no classifier", () => {
  const load = async (model: OnnxModel, output?: string) => {
    const onWarning = vi.fn<(message: string) => void>();
    const encoder = await loadEncoder(write(model), { ...plain, onWarning, ...(output !== undefined && { output }) });
    return { encoder, notes: onWarning.mock.calls.map(([message]) => message) };
  };

  test.each<readonly [string, readonly Step[], string, number]>([
    ["a projection, told by its size", [["MatMul", ["x", "wide"], "out"]], "out", 128],
    ["a rectifier behind it", [gemm, ["Clip", ["y", "zero", "high"], "out"]], "out", classes],
    [
      "bounds behind it, in a file that is not quantised",
      [gemm, ["Clip", ["y", "low", "high"], "out"]],
      "out",
      classes,
    ],
    ["Softmax over images", [gemm, ["Softmax", ["y"], "out", { axis: 0 }]], "out", classes],
    ["a norm behind it", [gemm, ["LpNormalization", ["y"], "out", { axis: 1, p: 2 }]], "out", classes],
    ["an embedding by its name", [["Gemm", ["x", "CD"], "image_embeds", { transB: 1 }]], "image_embeds", classes],
    ["a convolution over places", [["Conv", ["map", "CD11"], "out"]], "out", classes],
  ])("%s", async (_, steps, name, size) => {
    const { encoder, notes } = await load(network(steps, [[name, [size]]]));
    expect([encoder.head, encoder.embeddingSize]).toEqual([undefined, size]);
    expect(notes.length).toBe(size === 128 ? 1 : 0);
    if (size === 128) expect(notes[0]).toMatch(/out comes from a linear layer to 128 values.*--output x,/);
  });

  test("neither name nor probabilities say so: it is said what was taken for what, and the other can be had", async () => {
    const model = network([gemm], [["y", [classes]]]);
    const { encoder, notes } = await load(model);
    expect(encoder.head).toBeDefined();
    expect(notes).toEqual([
      expect.stringMatching(/y comes from a linear layer to 5 values.*classifier.*--output y\.$/),
    ]);
    const other = await load(model, "y");
    expect([other.encoder.head, other.encoder.embeddingSize, other.notes]).toEqual([undefined, classes, []]);
    const projection = network([["MatMul", ["x", "wide"], "out"]], [["out", [128]]]);
    expect((await load(projection, "x")).encoder.head?.weight.shape).toEqual([128, width]);
  });

  test("a name that says logits, or probabilities, need no note", async () => {
    for (const [steps, name] of [
      [[["Gemm", ["x", "CD"], "logits", { transB: 1 }]], "logits"],
      [[gemm, ["Softmax", ["y"], "out", { axis: 1 }]], "out"],
    ] as const)
      expect((await load(network(steps, [[name, [classes]]]))).notes).toEqual([]);
  });
});

describe("several outputs", () => {
  const load = (steps: readonly Step[], outputs: readonly (readonly [string, readonly number[]])[]) =>
    loadEncoder(write(network(steps, outputs)), plain);
  const second: Step = ["Gemm", ["x", "DC"], "z"];

  test("one that another's linear layer reads is the embedding", async () => {
    const encoder = await load(
      [gemm],
      [
        ["y", [classes]],
        ["x", [width]],
      ],
    );
    expect([encoder.embeddingSize, encoder.head?.weight.shape]).toEqual([width, [classes, width]]);
    const mean = await load(
      [gemm],
      [
        ["mean", [width, 1, 1]],
        ["y", [classes]],
      ],
    );
    expect(mean.head).toEqual(encoder.head);
  });

  test("logits and probabilities are of one head", async () => {
    const encoder = await load(
      [gemm, ["Softmax", ["y"], "p", { axis: 1 }]],
      [
        ["p", [classes]],
        ["y", [classes]],
      ],
    );
    expect(encoder.head?.weight.shape).toEqual([classes, width]);
  });

  test("two heads are listed with their shapes and what they read", async () => {
    await expect(
      load(
        [gemm, second],
        [
          ["y", [classes]],
          ["z", [classes]],
        ],
      ),
    ).rejects.toThrow(
      /cannot be told: y: float32\[n, 5\]; z: float32\[n, 5\]\. Say --output NAME.*x, which the linear layer of y reads/,
    );
    // A name selects one of them.
    const named: Step = ["Gemm", ["x", "DC"], "logits"];
    expect(
      (
        await load(
          [gemm, named],
          [
            ["y", [classes]],
            ["logits", [classes]],
          ],
        )
      ).head,
    ).toBeDefined();
  });

  test("scores of every place are refused", async () => {
    const steps: readonly Step[] = [
      ["Conv", ["map", "CD11"], "c"],
      ["Softmax", ["c"], "scores", { axis: 1 }],
    ];
    await expect(load(steps, [["scores", [classes, 6, 6]]])).rejects.toThrow(
      /scores is \[1, 5, 6, 6\] for one image.*not one row.*--output NAME/,
    );
  });
});

const faults = fileURLToPath(new URL("../../../../shared/data/faults/classifier-head/", import.meta.url));
const hasData = existsSync(faults);

test.skipIf(!hasData).each(["convhead", "named_output"])(`%s${hasData ? "" : " (no ../shared/data)"}`, async (name) => {
  const encoder = await loadEncoder(`${faults}${name}.onnx`, plain);
  expect([encoder.embeddingSize, encoder.head?.weight.shape]).toEqual([16, [10, 16]]);
});
