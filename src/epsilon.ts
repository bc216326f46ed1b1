/** `2/255` or `0.5`: the shorter way to write it exactly; four digits where neither is exact. */
export function formatEpsilon(epsilon: number): string {
  const plain = `${Number(epsilon.toPrecision(4))}`;
  const levels = Math.round(epsilon * 25500) / 100;
  const fraction = `${levels}/255`;
  const plainIsExact = Math.abs(Number(plain) - epsilon) < 1e-9;
  const fractionIsExact = Math.abs(levels - epsilon * 255) < 1e-6;
  return fractionIsExact && (!plainIsExact || fraction.length < plain.length) ? fraction : plain;
}
