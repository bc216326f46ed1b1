import type { Draw } from "../draw.ts";
import type { GradientCase } from "../gradcheck.ts";
import { apply, type Checks } from "./check.ts";

/** Vectors and matrices on either side, with batches that broadcast. */
const matMul = (draw: Draw): GradientCase => {
  const [m, k, n] = [draw.int(1, 4), draw.int(1, 4), draw.int(1, 4)];
  const [batchA, batchB] = draw.broadcasting(2, { maxRank: 2, maxSize: 3 });
  const a = draw.int(0, 3) === 0 ? [k] : [...batchA!, m, k];
  const b = draw.int(0, 3) === 0 ? [k] : [...batchB!, k, n];
  return apply("MatMul", [draw.real(a), draw.real(b)]);
};

/** Factors are dyadic, since ONNX keeps them in float32. */
const gemm = (draw: Draw): GradientCase => {
  const [m, k, n] = [draw.int(1, 4), draw.int(1, 4), draw.int(1, 4)];
  const [transA, transB] = [draw.int(0, 1), draw.int(0, 1)];
  const inputs = [draw.real(transA ? [k, m] : [m, k]), draw.real(transB ? [n, k] : [k, n])];
  const bias = draw.pick([undefined, [], [1], [n], [1, n], [m, 1], [1, 1], [m, n]]);
  if (bias) inputs.push(draw.real(bias));
  const factors = [1, 0.5, -1.25, 2];
  return apply("Gemm", inputs, { alpha: draw.pick(factors), beta: draw.pick([...factors, 0]), transA, transB });
};

export const products: Checks = { MatMul: matMul, Gemm: gemm };
