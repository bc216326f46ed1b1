/** `2/255`, as people write it; a plain number where it is no multiple of a hundredth of 1/255. */
export function formatEpsilon(epsilon: number): string {
  const levels = epsilon * 255;
  const rounded = Math.round(levels * 100) / 100;
  return Math.abs(levels - rounded) < 1e-6 ? `${rounded}/255` : epsilon.toPrecision(4);
}
