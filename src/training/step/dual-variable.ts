import type { Parameters } from "../../models/index.ts";
import { feedsOf } from "../../models/index.ts";
import { control, type Dual, gradientName } from "../../objectives/index.ts";
import type { Program } from "../../runtime/index.ts";
import { AdamW } from "../adamw/adamw.ts";
import { addInPlace } from "../parameters.ts";
import type { ImageRows, Part } from "./batch.ts";
import type { BoundRows } from "./bounds.ts";
import type { OriginalRows } from "./reference.ts";

/** Rows with the images' thresholds and original embeddings. */
type BoundedRows = ImageRows & OriginalRows & Pick<BoundRows, "threshold">;
type ViolatingRows = BoundedRows & { readonly cleanDistance: Float32Array };

/** Multipliers of a constraint. Computes lambda for a batch's images, and learns from their violations. */
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

  /** Lambda [rows] of images whose original embeddings are known. */
  async multipliers({ original, share, threshold }: BoundedRows): Promise<Float32Array> {
    // lambda does not depend on the violation, which is known only after the primal steps.
    const feeds = { ...feedsOf(this.parameters), original, share, violation: threshold };
    const { lambda } = await this.#program.run(feeds);
    return (lambda as Float32Array).slice();
  }

  /** One ascent step on omega. */
  async ascend(parts: readonly Part<ViolatingRows>[]): Promise<void> {
    const dual = this.#dual;
    if (dual.kind === "constant") return;
    if (dual.kind === "controller") {
      control(this.parameters, dual.gain, relativeViolation(parts));
      return;
    }
    const sums = new Map([...this.parameters].map(([name, { data }]) => [name, new Float32Array(data.length)]));
    for (const { rows } of parts) {
      const { original, share, cleanDistance, threshold } = rows;
      const violation = cleanDistance.map((distance, i) => distance - threshold[i]!);
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
function relativeViolation(parts: readonly Part<ViolatingRows>[]): number {
  const violations = parts.flatMap(({ count, rows: { cleanDistance, threshold } }) =>
    Array.from({ length: count }, (_, i) => Math.min(Math.max(cleanDistance[i]! / threshold[i]! - 1, -1), 1)),
  );
  return violations.reduce((sum, violation) => sum + violation, 0) / violations.length;
}
