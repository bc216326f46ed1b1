/** `2/255`, as people write it; a plain number where it is no multiple of a hundredth of 1/255, or above 1 (l2, l1). */
export function formatEpsilon(epsilon: number): string {
  if (epsilon > 1) return `${Number(epsilon.toPrecision(4))}`;
  const levels = epsilon * 255;
  const rounded = Math.round(levels * 100) / 100;
  return Math.abs(levels - rounded) < 1e-6 ? `${rounded}/255` : epsilon.toPrecision(4);
}
