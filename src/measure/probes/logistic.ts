import type { LinearClassifier } from "../../models/index.ts";
import type { CompileOptions } from "../../runtime/index.ts";
import { accuracyOf, type Labelled, pick } from "./labelled.ts";
import { type Minimum, minimize } from "./lbfgs.ts";
import { LogisticLoss } from "./logistic-loss.ts";

export interface FitOptions extends Pick<CompileOptions, "threads"> {
  /** Ends the fit, which rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** l2 strengths to choose from on held-out images, strongest first. Each fit starts where the one before ended. */
export const regularizations: readonly number[] = [1e3, 1e2, 1e1, 1, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6];

/** Largest component of the gradient at which a fit counts as converged, in units of the mean loss. */
const tolerance = 1e-5;
const maxIterations = 1000;

export interface LinearProbe {
  readonly head: LinearClassifier;
  readonly regularization: number;
  /** False when the minimum was not reached within 1000 steps, or rounding stopped the search before it. */
  readonly converged: boolean;
}

/**
 * Linear probe: multinomial logistic regression on embeddings as they are (not standardised), full-batch, minimising mean
 * cross-entropy + regularization / 2 |W|^2 by L-BFGS; biases are free. The strength is chosen on every tenth image of each
 * class, held out (Radford et al. 2021 choose it on validation images), and the fit is then made on all images.
 */
export async function linearProbe(data: Labelled, classes: number, options: FitOptions = {}): Promise<LinearProbe> {
  const held = heldOut(data.labels);
  const all = Array.from(data.labels, (_, i) => i);
  const [kept, validation] = [
    pick(
      data,
      all.filter((i) => !held.has(i)),
    ),
    pick(data, [...held]),
  ];
  let regularization = 1e-3;
  if (held.size > 0) {
    let best = -1;
    await fitPath(kept, classes, regularizations, options, ({ point }, strength) => {
      const accuracy = accuracyOf(predictLinear(headOf(point, classes, data.size), validation), validation.labels);
      if (accuracy <= best) return;
      best = accuracy;
      regularization = strength;
    });
  }
  const { point, converged } = await fitLogistic(data, classes, regularization, options);
  return { head: headOf(point, classes, data.size), regularization, converged };
}

/** The minimum for one strength; points as in `LogisticLoss`. */
export async function fitLogistic(
  data: Labelled,
  classes: number,
  regularization: number,
  options: FitOptions = {},
): Promise<Minimum> {
  let found: Minimum | undefined;
  await fitPath(data, classes, [regularization], options, (minimum) => {
    found = minimum;
  });
  return found!;
}

async function fitPath(
  data: Labelled,
  classes: number,
  strengths: readonly number[],
  { signal, ...options }: FitOptions,
  onFit: (minimum: Minimum, strength: number) => void,
): Promise<void> {
  const loss = await LogisticLoss.compile(data, classes, options);
  const split = classes * data.size;
  let point = new Float64Array(split + classes);
  try {
    for (const strength of strengths) {
      const evaluate = async (at: Float64Array) => {
        signal?.throwIfAborted();
        const { value, gradient } = await loss.evaluate(at);
        let penalty = 0;
        for (let i = 0; i < split; i++) {
          penalty += (strength / 2) * at[i]! ** 2;
          gradient[i]! += strength * at[i]!;
        }
        return { value: value + penalty, gradient };
      };
      const minimum = await minimize(evaluate, point, { tolerance, maxIterations });
      point = Float64Array.from(minimum.point);
      onFit(minimum, strength);
    }
  } finally {
    await loss.dispose();
  }
}

/** Every tenth image of each class. */
function heldOut(labels: Int32Array): ReadonlySet<number> {
  const seen = new Map<number, number>();
  const held = new Set<number>();
  for (const [i, label] of labels.entries()) {
    const before = seen.get(label) ?? 0;
    if (before % 10 === 9) held.add(i);
    seen.set(label, before + 1);
  }
  return held;
}

function headOf(point: Float64Array, classes: number, size: number): LinearClassifier {
  const [weight, bias] = [point.subarray(0, classes * size), point.subarray(classes * size)];
  return {
    kind: "linear",
    weight: { dtype: "float32", shape: [classes, size], data: Float32Array.from(weight) },
    bias: { dtype: "float32", shape: [classes], data: Float32Array.from(bias) },
  };
}

/** [n]: the class of the largest logit. */
export function predictLinear({ weight, bias }: LinearClassifier, { embeddings, labels, size }: Labelled): Int32Array {
  return labels.map((_, i) => {
    let [best, largest] = [0, -Infinity];
    for (let c = 0; c < bias.data.length; c++) {
      let logit = bias.data[c]!;
      for (let d = 0; d < size; d++) logit += weight.data[c * size + d]! * embeddings[i * size + d]!;
      if (logit > largest) [best, largest] = [c, logit];
    }
    return best;
  });
}
