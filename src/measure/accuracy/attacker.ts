import {
  type Attack,
  type AttackJob,
  type AttackOutcome,
  attackLoss,
  embeddingDistance,
  type Images,
  isEmbeddingLoss,
  lossGraph,
  misclassification,
  type Plan,
  planOf,
  runSearches,
  type Search,
  type TargetBuilder,
} from "../../attacks/index.ts";
import { defined } from "../../defined.ts";
import { UsageError } from "../../errors.ts";
import type { Victim } from "../../inference/index.ts";
import { checkNonZero } from "../../models/index.ts";
import { type CompileOptions, compile, ProgramLadder } from "../../runtime/index.ts";

export interface LabelledImages extends Images {
  readonly labels: readonly number[];
  /** Names of the images, for messages. */
  readonly ids?: readonly string[];
  /** Clean embeddings [count, D]; for attacks on embeddings. */
  readonly embeddings?: Float32Array;
  readonly onDone?: AttackJob["onDone"];
  readonly onLook?: AttackJob["onLook"];
  readonly signal?: AbortSignal | undefined;
}

export interface AttackerOptions extends CompileOptions {
  /** Images a program takes at a time. */
  readonly batch: number;
  /** Keep maximising the loss after an image is broken: for attacks that are measured on another encoder. */
  readonly relentless?: boolean;
}

/** Runs attacks on one encoder. Caches one program per loss and batch size; `dispose` frees them. */
export class Attacker {
  readonly #victim: Victim;
  readonly #options: AttackerOptions;
  readonly #ladders = new Map<string, ProgramLadder>();

  constructor(victim: Victim, options: AttackerOptions) {
    this.#victim = victim;
    this.#options = options;
  }

  async run(attack: Attack, images: LabelledImages): Promise<AttackOutcome> {
    const { loss } = attackLoss(attack);
    const { clean, count, labels, ids, embeddings, onDone, onLook, signal } = images;
    const { name } = this.#victim;
    if (isEmbeddingLoss(loss) && !embeddings) throw new UsageError("Attacks on embeddings need the clean ones.");
    if (loss === "embedding-cosine")
      checkNonZero(embeddings!, count, { encoder: name, what: "embedding", nameOf: ids && ((i) => ids[i]!) });
    const rows = isEmbeddingLoss(loss) ? { reference: embeddings! } : { labels: BigInt64Array.from(labels, BigInt) };
    const nameOf = (i: number): string => `${name} at ${ids?.[i] ?? `image ${i}`}`;
    const job = {
      clean,
      count,
      rows,
      nameOf,
      ...defined({ onDone, onLook, signal }),
    };
    return runSearches(this.#programs(attack), planOf(attack, images), job);
  }

  /** Number of clean images at which the gradient of the attack's loss is zero throughout. */
  async zeroGradients(
    attack: Attack,
    { clean, labels }: { readonly clean: Float32Array; readonly labels: readonly number[] },
  ): Promise<number> {
    const count = labels.length;
    let zero = 0;
    function* look(point: Float32Array): Search {
      const { loss, gradient, success } = yield { point };
      if (gradient.every((x) => x === 0)) zero++;
      return { point, loss, success };
    }
    const size = clean.length / count;
    const plan: Plan = { runs: 1, eot: 1, begin: (i) => look(clean.subarray(i * size, (i + 1) * size)) };
    const rows = { labels: BigInt64Array.from(labels, BigInt) };
    await runSearches(this.#programs(attack), plan, { clean, count, rows });
    return zero;
  }

  #programs(attack: Attack): ProgramLadder {
    const { loss, gradient } = attackLoss(attack);
    const key = `${loss} ${gradient}`;
    const known = this.#ladders.get(key);
    if (known) return known;
    const { logits, embed, imageSize } = this.#victim;
    const target = isEmbeddingLoss(loss) ? embeddingDistance(embed, loss) : misclassification(logits, loss);
    const build = this.#options.relentless ? withoutSuccess(target) : target;
    const ladder = new ProgramLadder(
      (batch) => compile(lossGraph({ batch, imageSize, gradient }, build), this.#options),
      this.#options.batch,
    );
    this.#ladders.set(key, ladder);
    return ladder;
  }

  async dispose(): Promise<void> {
    for (const ladder of this.#ladders.values()) await ladder.dispose();
    this.#ladders.clear();
  }
}

const withoutSuccess =
  (target: TargetBuilder): TargetBuilder =>
  (pixels) => ({ loss: target(pixels).loss });
