import { setFlagsFromString } from "node:v8";

/**
 * Keeps V8's young generation from growing, for a process of our own. While graphs are built it would grow to three times 16 MB
 * and stay so for seconds after; what training computes with lies outside of V8's heap.
 */
export function keepYoungGenerationSmall(): void {
  setFlagsFromString("--semi-space-growth-factor=1");
}
