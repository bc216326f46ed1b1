import { setFlagsFromString } from "node:v8";

/**
 * Keeps V8's young generation small, for a process of our own. While graphs are built it would grow to three times 16 MB
 * and stay so for seconds; training's arrays lie outside V8's heap.
 */
export function keepYoungGenerationSmall(): void {
  setFlagsFromString("--semi-space-growth-factor=1");
}
