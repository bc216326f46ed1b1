import { UsageError } from "../../errors.ts";
import type { Tensor } from "../../onnx/tensor.ts";
import { bicubicTaps } from "./bicubic.ts";

/**
 * Position embeddings for another grid of patches, by bicubic interpolation without antialiasing and with half-pixel
 * centres (PyTorch: `interpolate(mode="bicubic", align_corners=False)`). The class token's row is kept.
 *
 * @param positions [1, 1 + grid * grid, width]
 * @param side patches along one side of the wanted grid
 * @returns [1, 1 + side * side, width]
 */
export function resizePositions(positions: Tensor<"float32">, side: number): Tensor<"float32"> {
  const [, rows, width] = positions.shape as readonly [number, number, number];
  const grid = Math.round(Math.sqrt(rows - 1));
  if (grid * grid !== rows - 1) {
    throw new UsageError(`Position embeddings of shape [${positions.shape}] are no square grid with a class token.`);
  }
  if (grid === side) return positions;
  const taps = bicubicTaps(grid, side);
  const data = new Float32Array((1 + side * side) * width);
  data.set(positions.data.subarray(0, width));
  taps.forEach((rowTaps, row) => {
    taps.forEach((columnTaps, column) => {
      const to = (1 + row * side + column) * width;
      for (let d = 0; d < width; d++) {
        let sum = 0;
        for (const r of rowTaps) {
          for (const c of columnTaps) {
            sum += r.weight * c.weight * positions.data[(1 + r.index * grid + c.index) * width + d]!;
          }
        }
        data[to + d] = sum;
      }
    });
  });
  return { dtype: "float32", shape: [1, 1 + side * side, width], data };
}
