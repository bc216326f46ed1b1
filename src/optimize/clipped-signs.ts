import type { Value } from "../graph/index.ts";
import { rewritten } from "./rewrite.ts";

/** Takes every normal float32 to at least 1 in magnitude, and none to NaN. */
const steep = 3e38;

/**
 * Signs as clipped steep lines, for devices without `Sign`: ONNX Runtime's WebGPU sends a whole batch of images to the CPU
 * and back for it. Exact but for subnormal numbers, whose sign fades to 0. Other element types than float32 stay.
 */
export function withClippedSigns(values: readonly Value[]): readonly Value[] {
  return rewritten(values, ({ op }, [x]) => {
    if (op !== "Sign" || x!.dtype !== "float32") return undefined;
    const { graph: g } = x!;
    return [g.clip(g.mul(x!, steep), -1, 1)];
  });
}
