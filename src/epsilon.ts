/** `2/255` or `0.5`: the shorter way to write it exactly; four digits where neither is exact. */
export function formatEpsilon(epsilon: number): string {
  const plain = `${Number(epsilon.toPrecision(4))}`;
  const levels = Math.round(epsilon * 25500) / 100;
  const fraction = `${levels}/255`;
  const plainIsExact = Math.abs(Number(plain) - epsilon) < 1e-9;
  const fractionIsExact = Math.abs(levels - epsilon * 255) < 1e-6;
  return fractionIsExact && (!plainIsExact || fraction.length < plain.length) ? fraction : plain;
}

/** A size in pixel units, written `2/255` or `0.0078`; NaN where the text is neither a number nor a fraction from 0. */
export function readSize(text: string): number {
  const match = /^\s*(\d*\.?\d+(?:e-?\d+)?)\s*(?:\/\s*(\d*\.?\d+))?\s*$/i.exec(text);
  return match ? Number(match[1]) / Number(match[2] ?? 1) : Number.NaN;
}
