import { UsageError } from "../../errors.ts";
import type { Value } from "../../graph/index.ts";
import type { Tensor } from "../../tensor/index.ts";
import { bicubicMatrix, bicubicTaps } from "./bicubic.ts";

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

/** The same inside a graph, for positions that are trained: [1, 1 + grid * grid, width] to [1, 1 + side * side, width]. */
export function resampledPositions(positions: Value, grid: number, side: number): Value {
  const { graph: g } = positions;
  const width = positions.shape[2]!;
  const matrix = g.constant({ dtype: "float32", shape: [side, grid], data: bicubicMatrix(grid, side) });
  const rows = (from: number, to: number): Value => g.slice(positions, { starts: [from], ends: [to], axes: [1] });
  const patches = g.reshape(rows(1, 1 + grid * grid), [grid, grid * width]);
  const columns = g.reshape(g.matMul(matrix, patches), [side, grid, width]);
  const both = g.reshape(g.matMul(matrix, columns), [1, side * side, width]);
  return g.concat([rows(0, 1), both], 1);
}
