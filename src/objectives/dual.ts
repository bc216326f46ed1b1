import { gradients } from "../autodiff/index.ts";
import { Graph, type Value } from "../graph/index.ts";
import type { Parameters } from "../models/index.ts";
import { randomStream } from "../random.ts";
import { allocate, type Tensor } from "../tensor/index.ts";
import type { Dual } from "./constraint.ts";
import { gradientName } from "./primal.ts";

/**
 * The trained numbers omega of a dual variable; none for a constant. The network starts like PyTorch's linear layers,
 * uniform within 1 / sqrt(inputs), with an output bias that lets lambda start near `initial`.
 */
export function dualParameters(dual: Dual, embeddingSize: number, seed: number): Parameters {
  switch (dual.kind) {
    case "constant":
      return new Map();
    case "controller":
      return new Map([
        ["log lambda", scalarOf(Math.log(dual.initial))],
        ["last violation", scalarOf(0)],
      ]);
    case "scalar":
      return new Map([["s", { dtype: "float32", shape: [1], data: Float32Array.of(inverseSoftplus(dual.initial)) }]]);
    case "network": {
      const random = randomStream(seed, "dual");
      const uniform = (shape: readonly number[], inputs: number): Tensor<"float32"> => {
        const data = allocate("float32", shape).map(() => random.uniform(-1, 1) / Math.sqrt(inputs));
        return { dtype: "float32", shape, data };
      };
      const outputBias = uniform([1], dual.hidden);
      return new Map([
        ["fc1.weight", uniform([dual.hidden, embeddingSize], embeddingSize)],
        ["fc1.bias", uniform([dual.hidden], embeddingSize)],
        ["fc2.weight", uniform([1, dual.hidden], dual.hidden)],
        ["fc2.bias", { ...outputBias, data: outputBias.data.map((bias) => bias + inverseSoftplus(dual.initial)) }],
      ]);
    }
  }
}

function scalarOf(value: number): Tensor<"float32"> {
  return { dtype: "float32", shape: [1], data: Float32Array.of(value) };
}

/**
 * One step of a controller's omega, in place: log lambda += gain (v + 5 (v - v')), v the batch's violation and v' the one
 * before; log lambda stays within +-log(1e6).
 *
 * @param violation mean over images of d / t - 1, each within [-1, 1]
 */
export function control(omega: Parameters, gain: number, violation: number): void {
  const [log, before] = [omega.get("log lambda")!.data, omega.get("last violation")!.data];
  const moved = log[0]! + gain * (violation + 5 * (violation - before[0]!));
  log[0] = Math.min(Math.max(moved, -Math.log(1e6)), Math.log(1e6));
  before[0] = violation;
}

/** log(exp(y) - 1), in a form that does not overflow for large y. */
function inverseSoftplus(y: number): number {
  return y + Math.log(-Math.expm1(-y));
}

/** lambda(z0) >= 0 as graph nodes, [N], for original embeddings [N, D]. */
function lambdaOf(dual: Dual, original: Value, omega: ReadonlyMap<string, Value>): Value {
  const { graph: g } = original;
  const batch = original.shape[0]!;
  switch (dual.kind) {
    case "constant":
      return g.expand(g.scalar(dual.value), [batch]);
    case "controller":
      return g.expand(g.exp(omega.get("log lambda")!), [batch]);
    case "scalar":
      return g.expand(g.softplus(omega.get("s")!), [batch]);
    case "network": {
      const hidden = g.relu(g.gemm(original, omega.get("fc1.weight")!, omega.get("fc1.bias"), { transB: true }));
      const output = g.gemm(hidden, omega.get("fc2.weight")!, omega.get("fc2.bias"), { transB: true });
      return g.softplus(g.reshape(output, [batch]));
    }
  }
}

/**
 * Inputs `original` [N, D], `violation` [N] (clean distance minus threshold), `share` [N], and omega. Outputs `lambda`
 * [N]; and where omega ascends by gradients `dualLoss`, the sum of share lambda violation, to be maximised over omega, and
 * its gradients.
 */
export function dualGraph(
  dual: Dual,
  batch: number,
  omega: Parameters,
  embeddingSize: number,
): Readonly<Record<string, Value>> {
  const g = new Graph();
  const original = g.input("original", "float32", [batch, embeddingSize]);
  const violation = g.input("violation", "float32", [batch]);
  const share = g.input("share", "float32", [batch]);
  const weights = new Map([...omega].map(([name, { shape }]) => [name, g.input(name, "float32", shape)]));
  const lambda = lambdaOf(dual, original, weights);
  if (dual.kind === "controller") return { lambda };
  const dualLoss = g.reduceSum(g.mul(g.mul(lambda, violation), share));
  const derivatives = gradients(dualLoss, [...weights.values()]);
  const named = [...weights.keys()].map((name, i) => [gradientName(name), derivatives[i]!] as const);
  return { lambda, dualLoss, ...Object.fromEntries(named) };
}
