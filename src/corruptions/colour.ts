/** Hue, saturation and value, each in [0, 1]. */
export type Hsv = readonly [hue: number, saturation: number, value: number];

/** Changes an RGB image [3, S, S] in [0, 1] pixel by pixel in the HSV colour space. */
export function changeHsv(image: Float32Array, change: (hsv: Hsv) => Hsv): Float32Array {
  const area = image.length / 3;
  const result = new Float32Array(image.length);
  for (let i = 0; i < area; i++) {
    const rgb = toRgb(change(toHsv(image[i]!, image[area + i]!, image[2 * area + i]!)));
    for (let c = 0; c < 3; c++) result[c * area + i] = rgb[c]!;
  }
  return result;
}

function toHsv(red: number, green: number, blue: number): Hsv {
  const value = Math.max(red, green, blue);
  const range = value - Math.min(red, green, blue);
  if (range === 0) return [0, 0, value];
  const sector =
    red === value ? (green - blue) / range : green === value ? 2 + (blue - red) / range : 4 + (red - green) / range;
  return [(((sector / 6) % 1) + 1) % 1, range / value, value];
}

function toRgb([hue, saturation, value]: Hsv): readonly [number, number, number] {
  const sector = Math.floor(hue * 6);
  const f = hue * 6 - sector;
  const p = value * (1 - saturation);
  const q = value * (1 - f * saturation);
  const t = value * (1 - (1 - f) * saturation);
  switch (sector % 6) {
    case 0:
      return [value, t, p];
    case 1:
      return [q, value, p];
    case 2:
      return [p, value, t];
    case 3:
      return [p, q, value];
    case 4:
      return [t, p, value];
    default:
      return [value, p, q];
  }
}
