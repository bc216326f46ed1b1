/** Row `i` of an array of `count` rows, on the same memory. */
export function rowOf(all: Float32Array, i: number, count: number): Float32Array {
  const length = all.length / count;
  return all.subarray(i * length, (i + 1) * length);
}
