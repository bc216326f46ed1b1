import { UsageError } from "../errors.ts";
import type { Programs } from "../runtime/index.ts";
import type { TypedArray } from "../tensor/index.ts";
import { type AttackOutcome, BestRuns } from "./outcome.ts";
import type { Answer, Query, Search } from "./search.ts";

/** Inputs of a program, one array each. */
export type Feeds = Readonly<Record<string, TypedArray>>;

/** The searches that make up an attack. */
export interface Plan {
  /** Searches an image, in the order in which they matter: restarts, targets. */
  readonly runs: number;
  readonly begin: (image: number, run: number) => Search;
  /** Evaluations of every point, whose losses and gradients are averaged. */
  readonly eot: number;
}

export interface AttackJob {
  /** [count, 3, S, S] in [0, 1]; any count. */
  readonly clean: Float32Array;
  readonly count: number;
  /** The programs' inputs that have one row an image (labels, embeddings): `count` rows each. */
  readonly rows: Feeds;
  /** The programs' other inputs, the same for every image: weights. */
  readonly weights?: Feeds;
  /** Called with the images finished since the last call, and the best points so far; the attack waits for it. */
  readonly onDone?: (images: readonly number[], found: AttackOutcome) => Promise<void>;
  /** Called after every run of a program with the number of points that it evaluated. */
  readonly onLook?: (points: number) => void;
  /** Name of the image and of the encoder attacked, for messages. Default: `image 0` ... */
  readonly nameOf?: (image: number) => string;
  /** Ends the attack, which rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

interface Active {
  readonly image: number;
  readonly run: number;
  readonly search: Search;
  query: Query;
  asked: number;
}

/**
 * Carries out a plan on any number of images. A search leaves the batch as soon as it ends, and the next takes its place,
 * so that the batch stays full. The result of an image depends on the plan and the image only, never on its neighbours:
 * where two runs of an image share the batch, the later one counts only if the earlier one fails.
 *
 * @param programs of inputs `pixels` [N, 3, S, S], `target` [N] (int64) where the loss has one, and the job's rows; of
 *   outputs `loss` [N], and where they apply `success` [N] (bool) and `gradient` [N, 3, S, S]
 * @throws UsageError naming the image when a loss or a gradient is not finite: an attack would stand still there, and the
 *   image would pass for robust
 */
export async function runSearches(programs: Programs, plan: Plan, job: AttackJob): Promise<AttackOutcome> {
  const { clean, count, onDone, onLook, signal } = job;
  const length = count === 0 ? 0 : clean.length / count;
  const results = new BestRuns(clean, count, plan.runs);
  const queue = Array.from({ length: plan.runs * count }, (_, i) => ({ image: i % count, run: Math.floor(i / count) }));
  queue.reverse();
  const buffers = new Map<number, Float32Array>();
  let active: Active[] = [];

  const fill = (capacity: number): void => {
    while (active.length < capacity && queue.length > 0) {
      const { image, run } = queue.pop()!;
      if (results.settled(image, run)) {
        results.abandon(image);
        continue;
      }
      const search = plan.begin(image, run);
      const first = search.next();
      if (first.done) results.add(image, run, 0, first.value);
      else active.push({ image, run, search, query: first.value, asked: 0 });
    }
  };

  for (;;) {
    fill(programs.largest);
    const finished = results.takeFinished();
    if (finished.length > 0) await onDone?.(finished, results);
    if (active.length === 0) break;
    const answers: Answer[] = [];
    for (const size of programs.sizes(active.length)) {
      signal?.throwIfAborted();
      const asking = active.slice(answers.length, answers.length + size);
      const pixels = buffers.get(size) ?? new Float32Array(size * length);
      buffers.set(size, pixels);
      answers.push(...(await evaluatePoints(await programs.at(size), asking, job, pixels, plan.eot)));
      onLook?.(asking.length);
    }
    const going: Active[] = [];
    active.forEach((each, at) => {
      const next = each.search.next(answers[at]!);
      if (next.done) results.add(each.image, each.run, each.asked, next.value);
      else going.push(Object.assign(each, { query: next.value, asked: each.asked + 1 }));
    });
    active = going.filter(({ image, run, search }) => {
      if (!results.settled(image, run)) return true;
      search.return(undefined as never);
      results.abandon(image);
      return false;
    });
  }
  return results;
}

/**
 * Evaluates one point of each search.
 *
 * @param pixels room for the program's batch; unused places keep what earlier searches left there
 */
async function evaluatePoints(
  program: Awaited<ReturnType<Programs["at"]>>,
  active: readonly Active[],
  job: AttackJob,
  pixels: Float32Array,
  eot: number,
): Promise<readonly Answer[]> {
  const size = job.clean.length / job.count;
  const batch = pixels.length / size;
  const target = new BigInt64Array(batch);
  active.forEach(({ query }, at) => {
    pixels.set(query.point, at * size);
    target[at] = BigInt(query.target ?? 0);
  });
  const images = active.map(({ image }) => image);
  const gathered = Object.entries(job.rows).map(
    ([name, all]) => [name, gather(all, job.count, images, batch)] as const,
  );
  const feeds = { ...job.weights, ...Object.fromEntries(gathered), pixels, target };

  let result = await program.run(feeds);
  let loss = result.loss as Float32Array;
  let gradient = result.gradient as Float32Array | undefined;
  if (eot > 1) {
    [loss, gradient] = [loss.map((x) => x / eot), gradient?.map((x) => x / eot)];
    for (let more = 1; more < eot; more++) {
      result = await program.run(feeds);
      accumulate(loss, result.loss as Float32Array, 1 / eot);
      if (gradient) accumulate(gradient, result.gradient as Float32Array, 1 / eot);
    }
  }
  const success = result.success as Uint8Array | undefined;
  return active.map(({ image }, at) => {
    const answer = {
      loss: loss[at]!,
      gradient: gradient?.slice(at * size, (at + 1) * size) ?? nothing,
      success: success?.[at] === 1,
    };
    checkAnswer(answer, () => job.nameOf?.(image) ?? `image ${image}`);
    return answer;
  });
}

function checkAnswer({ loss, gradient }: Answer, name: () => string): void {
  let sum = loss - loss;
  for (let i = 0; i < gradient.length; i++) sum += gradient[i]! - gradient[i]!;
  // NaN where one of them is not finite.
  if (sum === 0) return;
  throw new UsageError(
    `The ${Number.isFinite(loss) ? "gradient of the loss" : "loss"} of ${name()} is not finite. An attack would stand still there, ` +
      "and the image would pass for robust. Activations may overflow float16, or a layer may divide by zero or take its square root: " +
      "compute in float32 (--precision), or attack with square, which needs no gradient.",
  );
}

const nothing = new Float32Array(0);

function accumulate(sum: Float32Array, part: Float32Array, weight: number): void {
  for (let i = 0; i < sum.length; i++) sum[i] = sum[i]! + weight * part[i]!;
}

/** Rows of `all`, padded to the batch with zeros. */
function gather(all: TypedArray, count: number, images: readonly number[], batch: number): TypedArray {
  const size = all.length / count;
  if (!Number.isInteger(size))
    throw new UsageError(`An input has ${all.length} values, which is no whole number of rows for ${count} images.`);
  const rows = new (all.constructor as Float32ArrayConstructor)(batch * size);
  images.forEach((image, at) => {
    for (let i = 0; i < size; i++) rows[at * size + i] = (all as Float32Array)[image * size + i]!;
  });
  return rows;
}
