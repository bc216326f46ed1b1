import { afterEach, describe, expect, it, vi } from "vitest";
import { productFlops } from "../graph/flops.ts";
import { randomVitParameters, VitEncoder } from "../models/index.ts";
import { dualParameters, fare, lore, type Objective, paperDual } from "../objectives/index.ts";
import { randomStream } from "../random.ts";
import { Program } from "../runtime/program.ts";
import { sameMicroBatches } from "./micro-batch.ts";
import { TrainingStep } from "./step/training-step.ts";
import { runsPerBatch, type TrainingGraphs, trainingGraphs } from "./training-graphs.ts";

const [batch, imageSize, patch, width, depth, heads] = [3, 8, 4, 12, 2, 3];
const architecture = { patch, width, depth, heads };
const random = randomStream("training-graphs");
const encoder = new VitEncoder({
  name: "tiny",
  architecture,
  imageSize,
  normalization: { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] },
  parameters: randomVitParameters(architecture, imageSize, random.normal),
});

afterEach(() => {
  vi.restoreAllMocks();
});

describe("runsPerBatch", () => {
  const attack = { steps: 4 };
  const margin = { kind: "fixed", threshold: 1 } as const;
  const objectives: readonly Objective[] = [
    lore({ epsilon: 0.01, attack, stepsPerBatch: 3 }),
    lore({ epsilon: 0.01, attack, margin, dual: { kind: "scalar", initial: 1, learningRate: 0.1 } }),
    lore({ epsilon: 0.01, attack, margin, dual: { kind: "constant", value: 1 } }),
    fare({ epsilon: 0.01, attack, stepsPerBatch: 2 }),
    fare({ epsilon: 0.01, attack: { steps: 4, schedule: "apgd" } }),
    fare({ epsilon: 0.01, attack: { steps: 4, precision: "int8" } }),
  ];
  it.each(objectives.map((objective) => [`${objective.name}, ${objective.constraint?.dual.kind}`, objective] as const))(
    "says what TrainingStep does: %s",
    async (_, objective) => {
      const step = await TrainingStep.create(encoder, objective, {
        microBatch: batch,
        weightDecay: 0,
        seed: 0,
        threads: 1,
      });
      const runs = (["run", "runFresh"] as const).map((way) => vi.spyOn(Program.prototype, way));
      const pixels = Float32Array.from({ length: 2 * batch * 3 * imageSize ** 2 }, () => random.uniform());
      await step.run(pixels, ["key"], () => 1e-4);
      await step.dispose();

      const names = runs.flatMap(({ mock }) => mock.contexts).map((program) => phaseOf(program as Program));
      const expected = runsPerBatch(objective);
      for (const phase of Object.keys(expected) as (keyof TrainingGraphs)[]) {
        // A batch of two micro-batches; weights are the same for both.
        const parts = phase === "int8Weights" ? 1 : 2;
        expect([phase, names.filter((name) => name === phase).length]).toEqual([phase, parts * expected[phase]]);
      }
    },
  );
});

function phaseOf({ outputs }: Program): keyof TrainingGraphs {
  if ("embedding" in outputs) return "reference";
  if ("next" in outputs) return "ascent";
  if ("dualLoss" in outputs) return "dual";
  if (Object.keys(outputs).every((name) => name.startsWith("int8."))) return "int8Weights";
  if ("gradient" in outputs) return "ascent";
  if ("advDistance" in outputs) return "primal";
  return "loss" in outputs ? "lastLook" : "distance";
}

describe("trainingGraphs", () => {
  it("holds the products that a vision transformer's passes consist of, counted by hand", () => {
    const omega = dualParameters(paperDual, width, 0);
    const graphs = trainingGraphs(encoder, lore({ epsilon: 0.01 }), sameMicroBatches(batch), omega);
    const work = (phase: keyof TrainingGraphs): number => productFlops(Object.values(graphs[phase]!));

    const tokens = 1 + (imageSize / patch) ** 2;
    const patches = 2 * batch * (tokens - 1) * 3 * patch ** 2 * width;
    // qkv, projection and the two layers of the MLP: (3 + 1 + 4 + 4) width^2 weights a block, which in the last block only the
    // class token meets, its query in the weights of keys, its mixture of tokens in those of values.
    const row = 2 * batch * width ** 2;
    const linear = ((depth - 1) * tokens + 1) * 12 * row;
    const attention = 2 * 2 * batch * ((depth - 1) * tokens ** 2 + heads * tokens) * width;
    expect(work("reference")).toBe(patches + linear + attention);
    // Back to the image: a linear layer's input gradient is one product more, attention's two operands are two.
    expect(work("ascent")).toBe(2 * patches + 2 * linear + 3 * attention);
    const int8 = lore({ epsilon: 0.01, attack: { precision: "int8" } });
    const inInt8 = trainingGraphs(encoder, int8, sameMicroBatches(batch), omega);
    expect(productFlops(Object.values(inInt8.ascent))).toBe(work("ascent"));
    expect(productFlops(Object.values(inInt8.int8Weights!))).toBe(0);
    // Twice the images; weights' gradients instead of the image's.
    expect(work("primal")).toBe(2 * (2 * patches + 3 * linear + 3 * attention));
    // Two layers forward, two weight gradients, one input gradient.
    expect(work("dual")).toBe(2 * batch * 512 * (2 * width + 3));
  });
});
