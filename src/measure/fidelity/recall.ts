/**
 * Text-to-image recall: the share of texts whose own image is among the k images nearest by cosine. An image exactly as
 * near as the text's own counts as farther.
 *
 * @param texts [m, size], rows of length 1
 * @param owners [m]: the row of the image that each text describes
 * @param images [n, size]
 * @returns a share for each of `ks`
 */
export function recallAt(
  { texts, owners }: { readonly texts: Float32Array; readonly owners: readonly number[] },
  images: Float32Array,
  size: number,
  ks: readonly number[],
): readonly number[] {
  const lengths = Float64Array.from({ length: images.length / size }, (_, i) =>
    Math.sqrt(dot(images, i, images, i, size)),
  );
  const ranks = owners.map((own, t) => {
    const cosine = (i: number): number => dot(texts, t, images, i, size) / (lengths[i]! || 1);
    const nearest = cosine(own);
    return lengths.reduce((nearer, _, i) => nearer + (i !== own && cosine(i) > nearest ? 1 : 0), 0);
  });
  return ks.map((k) => ranks.filter((rank) => rank < k).length / ranks.length);
}

function dot(a: Float32Array, row: number, b: Float32Array, other: number, size: number): number {
  let sum = 0;
  for (let d = 0; d < size; d++) sum += a[row * size + d]! * b[other * size + d]!;
  return sum;
}
