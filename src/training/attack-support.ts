import { type FixedSteps, type InnerAttack, isInt8 } from "../attacks/index.ts";
import { UsageError } from "../errors.ts";
import { Graph } from "../graph/index.ts";
import { type Encoder, trainableEmbedding } from "../models/index.ts";
import type { Device } from "../runtime/index.ts";
import { inInt8 } from "./training-graphs.ts";

/** @throws UsageError when a run cannot use the inner attack, before anything is created */
export function checkAttack(encoder: Encoder, attack: InnerAttack, device: Device | undefined): void {
  checkDevice(attack, device);
  if (device !== undefined && device !== "cpu") residentAttack(attack);
  if (isInt8(attack)) checkProducts(encoder);
}

/** @throws UsageError when the encoder has no products that can run in int8 */
function checkProducts(encoder: Encoder): void {
  const pixels = new Graph().input("pixels", "float32", [1, 3, encoder.imageSize, encoder.imageSize]);
  inInt8(encoder, { embedding: trainableEmbedding(encoder, pixels) });
}

/** @throws UsageError when the attack's arithmetic exists on CPU only */
export function checkDevice(attack: InnerAttack, device: Device = "cpu"): void {
  if (device !== "cpu" && isInt8(attack)) throw new UsageError("The inner attack in int8 runs on CPU only.");
}

/** @throws UsageError when the attack needs its images in host memory between steps */
export function residentAttack(attack: InnerAttack): FixedSteps {
  if (attack.schedule === "apgd") throw new UsageError("The inner attack's APGD schedule runs on CPU only.");
  return attack;
}
