/**
 * The centre of a plane [S, S] enlarged to its size by linear interpolation: ceil(S / factor) pixels become their count
 * times the factor, rounded (halves to even). The first pixel maps to the first and the last to the last. The excess is cut off.
 *
 * @param factor at least 1
 */
export function zoomed(plane: Float32Array, size: number, factor: number): Float32Array {
  const crop = Math.ceil(size / factor);
  const exact = crop * factor;
  const enlarged = exact % 1 === 0.5 ? 2 * Math.round(exact / 2) : Math.round(exact);
  const first = Math.floor((size - crop) / 2);
  const trim = Math.floor((enlarged - size) / 2);
  const scale = enlarged > 1 ? (crop - 1) / (enlarged - 1) : 0;
  const positions = Float64Array.from({ length: size }, (_, i) => Math.min((i + trim) * scale, crop - 1));
  const result = new Float32Array(size * size);
  for (let y = 0; y < size; y++) {
    const top = Math.floor(positions[y]!);
    const v = positions[y]! - top;
    const upper = (first + top) * size + first;
    const lower = (first + Math.min(top + 1, crop - 1)) * size + first;
    for (let x = 0; x < size; x++) {
      const left = Math.floor(positions[x]!);
      const right = Math.min(left + 1, crop - 1);
      const u = positions[x]! - left;
      const above = plane[upper + left]! * (1 - u) + plane[upper + right]! * u;
      const below = plane[lower + left]! * (1 - u) + plane[lower + right]! * u;
      result[y * size + x] = above * (1 - v) + below * v;
    }
  }
  return result;
}
