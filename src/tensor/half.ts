/** The 16-bit pattern of the IEEE half nearest to `value` (ties to even; beyond 65504 infinity). */
export function toHalf(value: number): number {
  if (Number.isNaN(value)) return 0x7e00;
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const magnitude = Math.abs(value);
  if (magnitude >= 65520) return sign | 0x7c00;
  const exponent = magnitude < 2 ** -14 ? -14 : Math.min(15, Math.floor(Math.log2(magnitude)));
  const units = roundToEven(magnitude / 2 ** (exponent - 10));
  // Counting in units of the last place, a significand that rounds up to 2048 carries into the exponent by itself.
  return sign | (magnitude < 2 ** -14 ? units : ((exponent + 14) << 10) + units);
}

/** The number that a 16-bit IEEE half pattern stands for. */
export function fromHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1024 + fraction) * 2 ** (exponent - 25);
}

/** float32 values of IEEE half patterns. */
export function widenHalf(patterns: Uint16Array): Float32Array {
  const widened = new Float32Array(patterns.length);
  // A table of all patterns is fast enough for files with hundreds of millions of half-precision weights.
  const values = patterns.length > 65536 ? everyHalf() : undefined;
  for (let i = 0; i < patterns.length; i++) widened[i] = values ? values[patterns[i]!]! : fromHalf(patterns[i]!);
  return widened;
}

let table: Float32Array | undefined;

function everyHalf(): Float32Array {
  table ??= Float32Array.from({ length: 65536 }, (_, pattern) => fromHalf(pattern));
  return table;
}

/** float32 values of bfloat16 patterns: the upper half of a float32. */
export function widenBfloat16(patterns: Uint16Array): Float32Array {
  const bits = new Uint32Array(patterns.length);
  for (let i = 0; i < patterns.length; i++) bits[i] = patterns[i]! << 16;
  return new Float32Array(bits.buffer);
}

function roundToEven(value: number): number {
  const down = Math.floor(value);
  const rest = value - down;
  return rest > 0.5 || (rest === 0.5 && down % 2 === 1) ? down + 1 : down;
}

/** The bfloat16 pattern nearest to `value` (ties to even). */
export function toBfloat16(value: number): number {
  const bits = new Uint32Array(Float32Array.of(value).buffer)[0]!;
  if (Number.isNaN(value)) return (bits >>> 16) | 0x40;
  return (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
}
