import type { Parameters } from "../models/index.ts";
import { feedsOf } from "../models/index.ts";
import { control, type Dual, gradientName } from "../objectives/index.ts";
import type { Program } from "../runtime/index.ts";
import { AdamW } from "./adamw/adamw.ts";
import { arraysOf, type Part } from "./batch-slice.ts";
import { addInPlace } from "./parameters.ts";

/** The multipliers of a constraint: gives lambda to a batch's images, and learns from how far they violate it. */
export class DualVariable {
  /** omega; empty for a constant lambda. */
  readonly parameters: Parameters;
  readonly optimizer: AdamW;
  readonly #dual: Dual;
  readonly #program: Program;

  /** @param program a compiled `dualGraph` */
  constructor(dual: Dual, parameters: Parameters, program: Program) {
    this.#dual = dual;
    this.#program = program;
    this.parameters = parameters;
    this.optimizer = new AdamW(parameters, { weightDecay: 0 });
  }

  /** Writes the lambdas of a part whose original embeddings are known. */
  async prepare(part: Part): Promise<void> {
    // lambda does not depend on the violation, which is known only after the primal steps.
    const result = await this.#program.run({
      ...feedsOf(this.parameters),
      ...arraysOf(part),
      violation: part.threshold,
    });
    part.lambda.set(result.lambda as Float32Array);
  }

  /** One ascent step on omega, with the clean distances that the parts hold. */
  async ascend(parts: readonly Part[]): Promise<void> {
    const dual = this.#dual;
    if (dual.kind === "constant") return;
    if (dual.kind === "controller") {
      control(this.parameters, dual.gain, relativeViolation(parts));
      return;
    }
    const sums = new Map([...this.parameters].map(([name, { data }]) => [name, new Float32Array(data.length)]));
    for (const part of parts) {
      const violation = part.cleanDistance.map((distance, i) => distance - part.threshold[i]!);
      const { original, share } = part;
      const result = await this.#program.run({ ...feedsOf(this.parameters), original, share, violation });
      for (const [name, sum] of sums) addInPlace(sum, result[gradientName(name)] as Float32Array);
    }
    this.optimizer.step(this.parameters, (name) => sums.get(name)!, dual.learningRate, -1);
  }

  async dispose(): Promise<void> {
    await this.#program.dispose();
  }
}

/** Mean over the batch's images of d / t - 1, each within [-1, 1]. */
function relativeViolation(parts: readonly Part[]): number {
  const violations = parts.flatMap(({ count, cleanDistance, threshold }) =>
    Array.from({ length: count }, (_, i) => Math.min(Math.max(cleanDistance[i]! / threshold[i]! - 1, -1), 1)),
  );
  return violations.reduce((sum, violation) => sum + violation, 0) / violations.length;
}
