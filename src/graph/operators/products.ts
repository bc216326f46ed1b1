import { mismatch } from "../errors.ts";
import { broadcast, sameShape } from "../shapes.ts";
import { first, floatDType, int, type Operator, one, two } from "./operator.ts";

function matMulShape(a: readonly number[], b: readonly number[]): readonly number[] {
  if (a.length === 0 || b.length === 0) mismatch("needs operands of rank 1 or more");
  const left = a.length === 1 ? [1, ...a] : a;
  const right = b.length === 1 ? [...b, 1] : b;
  const inner = left.at(-1);
  if (inner !== right.at(-2)) mismatch(`inner dimensions ${inner} and ${right.at(-2)} differ`);
  const shape = [...broadcast(left.slice(0, -2), right.slice(0, -2)), left.at(-2)!, right.at(-1)!];
  if (b.length === 1) shape.pop();
  if (a.length === 1) shape.splice(b.length === 1 ? -1 : -2, 1);
  return shape;
}

export const gemm: Operator = {
  complete: (a) => ({ alpha: 1, beta: 1, transA: 0, transB: 0, ...a }),
  infer: (x, a) => {
    const dtype = floatDType(x);
    const [left, right] = [first(x, 2), x[1]!];
    if (left.rank !== 2 || right.rank !== 2) mismatch("needs matrices (rank 2)");
    const [m, k] = int(a, "transA") ? [left.shape[1]!, left.shape[0]!] : [left.shape[0]!, left.shape[1]!];
    const [k2, n] = int(a, "transB") ? [right.shape[1]!, right.shape[0]!] : [right.shape[0]!, right.shape[1]!];
    if (k !== k2) mismatch(`inner dimensions ${k} and ${k2} differ`);
    if (x[2] && !sameShape(broadcast([m, n], x[2].shape), [m, n])) mismatch(`bias does not broadcast to [${m}, ${n}]`);
    return one(dtype, [m, n]);
  },
};

export const matMul: Operator = {
  infer: (x) => one(floatDType(two(x)), matMulShape(x[0]!.shape, x[1]!.shape)),
};

/** A product of uint8 or int8, added up in int32. The third input is the first's zero point, a scalar. */
export const matMulInteger: Operator = {
  infer: (x) => {
    const [a, b, zeroPoint] = [first(x, 3), x[1]!, x[2]!];
    if (x.some(({ dtype }) => dtype !== "uint8" && dtype !== "int8")) mismatch("needs operands of uint8 or int8");
    if (zeroPoint.rank > 0 || zeroPoint.dtype !== a.dtype) mismatch(`needs a scalar zero point of ${a.dtype}`);
    return one("int32", matMulShape(a.shape, b.shape));
  },
};
