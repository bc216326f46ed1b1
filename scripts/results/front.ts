/**
 * Accuracies of a run along its blends with the original, as JSON lines. They show the run's value, and which label-free
 * measure of fidelity predicts it. `npx tsx scripts/results/front.ts FILE.json`, where the file is a `Front`.
 */
import { readFileSync } from "node:fs";
import { attacksNamed, isAttackName } from "../../src/attacks/index.ts";
import { blend, HeldOutImages, holdOut, largestBlend } from "../../src/blending/index.ts";
import { openSource } from "../../src/data/index.ts";
import { evaluate } from "../../src/measure/accuracy/index.ts";
import { type Encoder, loadEncoder } from "../../src/models/index.ts";
import { trainedEncoder } from "../../src/training/index.ts";

interface Front {
  readonly original: string;
  /** A run folder, for its last checkpoint: the weights as training left them. */
  readonly run?: string;
  readonly imageSize?: number;
  /** Images without labels; those behind the first `trained` are held out. */
  readonly heldOut: { readonly data: string; readonly trained: number; readonly seed: number };
  readonly sets: readonly Set[];
  /** Weights of blends; "keep" is the one that keeps the original's behaviour. */
  readonly weights: readonly (number | "keep")[];
  readonly threads: number;
}

interface Set {
  readonly name: string;
  readonly data: string;
  readonly offset?: number;
  readonly limit?: number;
  readonly attack: string;
  readonly steps?: number;
  /** In units of 1/255. */
  readonly epsilons: readonly number[];
  /** Images to attack, where fewer than `limit`. */
  readonly attacked?: number;
}

const front = JSON.parse(readFileSync(process.argv[2]!, "utf8")) as Front;
const { threads, run } = front;
const original = await loadEncoder(front.original, front.imageSize === undefined ? {} : { imageSize: front.imageSize });
const robust = run === undefined ? original : trainedEncoder(original, run);
const source = await openSource(front.heldOut.data, { seed: 0 });
const { heldOut } = holdOut(source, front.heldOut.trained, front.heldOut.seed);
const images = await HeldOutImages.open(original, source, heldOut, { batch: 16, threads });

async function accuraciesOf(encoder: Encoder, set: Set): Promise<Record<string, number>> {
  const { name, data, offset = 0, limit, attack, epsilons, attacked = limit } = set;
  if (!isAttackName(attack)) throw new Error(`unknown attack ${attack}`);
  const labelled = await openSource(data, { seed: 0 });
  const measure = async (count: number | undefined, sizes: readonly number[]) =>
    evaluate(encoder, labelled, {
      ...{ threads, seed: 0, batch: 50, offset },
      ...(count !== undefined && { limit: count }),
      attacks:
        sizes.length === 0
          ? []
          : attacksNamed(
              {
                names: [attack],
                epsilons: sizes.map((size) => size / 255),
                settings: { steps: set.steps },
              },
              String,
            ),
    });
  const result: Record<string, number> = {};
  const clean = await measure(limit, attacked === limit ? epsilons : []);
  const attacks = attacked === limit ? clean : await measure(attacked, epsilons);
  result[`${name} clean`] = clean.clean;
  result[`${name} images`] = clean.images;
  for (const [i, { accuracy }] of attacks.attacks.entries()) result[`${name} ${epsilons[i]}`] = accuracy;
  if (attacked !== limit) result[`${name} attacked`] = attacks.images;
  return result;
}

for (const asked of front.weights) {
  const weight =
    asked === "keep"
      ? (await largestBlend(images, original.parameters, robust.parameters, { keep: 1, largest: 1 })).weight
      : asked;
  const encoder = blend(original, robust, weight);
  const started = performance.now();
  const fidelity = await images.fidelity(encoder.parameters);
  const accuracies: Record<string, number> = {};
  for (const set of front.sets) Object.assign(accuracies, await accuraciesOf(encoder, set));
  const seconds = Math.round((performance.now() - started) / 1000);
  process.stdout.write(`${JSON.stringify({ run, asked, weight, ...fidelity, accuracies, seconds })}\n`);
}
await images.dispose();
