import { gradients } from "../../autodiff/index.ts";
import { defined } from "../../defined.ts";
import { Graph } from "../../graph/index.ts";
import { type CompileOptions, compile, type Program } from "../../runtime/index.ts";
import type { Labelled } from "./labelled.ts";
import type { Evaluated } from "./lbfgs.ts";

/** Images that the program takes at a time. */
const block = 1024;

/**
 * Mean cross-entropy of softmax(x W^T + b) over images, and its gradient, in float64 on CPU, block by block. Points are
 * W [classes, size] followed by b [classes]. `dispose` frees the program.
 */
export class LogisticLoss {
  readonly #program: Program<"loss" | "weight" | "bias">;
  readonly #data: Labelled;
  readonly #classes: number;
  readonly #rows: number;

  private constructor(program: Program<"loss" | "weight" | "bias">, data: Labelled, classes: number, rows: number) {
    this.#program = program;
    this.#data = data;
    this.#classes = classes;
    this.#rows = rows;
  }

  static async compile(data: Labelled, classes: number, { threads }: CompileOptions = {}): Promise<LogisticLoss> {
    const rows = Math.min(block, data.labels.length);
    const g = new Graph();
    const x = g.input("x", "float64", [rows, data.size]);
    // Rows that pad the last block are zero and contribute nothing.
    const chosen = g.input("chosen", "float64", [rows, classes]);
    const weight = g.input("w", "float64", [classes, data.size]);
    const bias = g.input("b", "float64", [classes]);
    const logits = g.add(g.matMul(x, g.swap(weight)), bias);
    const loss = g.neg(g.reduceSum(g.mul(chosen, g.logSoftmax(logits))));
    const [byWeight, byBias] = gradients(loss, [weight, bias]);
    const options = { device: "cpu", ...defined({ threads }) } as const;
    return new LogisticLoss(await compile({ loss, weight: byWeight, bias: byBias }, options), data, classes, rows);
  }

  async evaluate(point: Float64Array): Promise<Evaluated> {
    const { embeddings, labels, size } = this.#data;
    const [rows, classes, count] = [this.#rows, this.#classes, labels.length];
    const split = classes * size;
    const [w, b] = [point.subarray(0, split), point.subarray(split)];
    const x = new Float64Array(rows * size);
    const chosen = new Float64Array(rows * classes);
    const gradient = new Float64Array(point.length);
    let value = 0;
    for (let start = 0; start < count; start += rows) {
      const used = Math.min(rows, count - start);
      x.set(embeddings.subarray(start * size, (start + used) * size));
      chosen.fill(0);
      for (let i = 0; i < used; i++) chosen[i * classes + labels[start + i]!] = 1;
      const { loss, weight, bias } = await this.#program.run({ x, chosen, w, b });
      value += Number(loss[0]) / count;
      for (let i = 0; i < split; i++) gradient[i]! += Number(weight[i]) / count;
      for (let i = 0; i < classes; i++) gradient[split + i]! += Number(bias[i]) / count;
    }
    return { value, gradient };
  }

  dispose(): Promise<void> {
    return this.#program.dispose();
  }
}
