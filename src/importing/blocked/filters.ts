import { mismatch } from "../../graph/index.ts";
import { elementCount, type Tensor } from "../../tensor/index.ts";

/**
 * Block size of the channels in a file that ONNX Runtime wrote for one CPU: 8 or 16. The file does not state it. Its filters
 * show it where their channels are no multiple of 16, with or without channels of zeros at the end.
 *
 * @returns undefined where the filters fit both
 */
export function blockSize(filters: readonly Tensor[]): 8 | 16 | undefined {
  if (filters.some(({ shape }) => shape[0]! % 16 !== 0)) return 8;
  return filters.some((filter) => endsInZeros(filter)) ? 16 : undefined;
}

/** Whether the last 8 of the output channels are zeros. Blocks of 8 would not need that padding. */
function endsInZeros({ shape, data }: Tensor): boolean {
  const perBlock = elementCount(shape.slice(1)) * 16;
  const last = (data as Float32Array).subarray(data.length - perBlock);
  const inLast = (at: number): boolean => at % 16 >= 8;
  return last.length === perBlock && last.every((value, at) => !inLast(at) || value === 0) && last.some((v) => v !== 0);
}

/**
 * Converts a filter with output channels in blocks to ONNX's order, [O, I, ...]. Its input channels are in blocks within those,
 * unless the image comes in ONNX's order or the convolution is depthwise.
 */
export function plainFilter(filter: Tensor, block: number, group: number): Tensor<"float32"> {
  const [out, channels, ...kernel] = filter.shape as [number, number, ...number[]];
  const taps = elementCount(kernel);
  const inner = channels >= block && !(group > 1 && channels === 1) ? block : 1;
  if (filter.dtype !== "float32" || out % block !== 0 || channels % inner !== 0)
    mismatch(`a filter of ${filter.dtype}[${filter.shape}] does not lie in blocks of ${block}`);
  const source = filter.data as Float32Array;
  const data = new Float32Array(source.length);
  for (let o = 0; o < out; o++)
    for (let i = 0; i < channels; i++)
      for (let k = 0; k < taps; k++) {
        const blocks = Math.floor(o / block) * (channels / inner) + Math.floor(i / inner);
        const at = ((blocks * taps + k) * inner + (i % inner)) * block + (o % block);
        data[(o * channels + i) * taps + k] = source[at]!;
      }
  return { dtype: "float32", shape: filter.shape, data };
}
