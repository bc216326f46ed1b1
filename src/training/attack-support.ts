import { type FixedSteps, type InnerAttack, isInt8, lowResolutionSteps } from "../attacks/index.ts";
import { UsageError } from "../errors.ts";
import { lowResolution } from "../models/architectures/low-resolution.ts";
import type { Encoder } from "../models/encoder.ts";
import type { Device } from "../runtime/index.ts";
import { checkKept } from "./previous-deltas.ts";

/** @throws UsageError when a run cannot have the inner attack, before anything is made for it */
export function checkAttack(
  encoder: Encoder,
  attack: InnerAttack,
  {
    images,
    epochs,
    device,
  }: { readonly images: number; readonly epochs: number; readonly device?: Device | undefined },
): void {
  if (lowResolutionSteps(attack) > 0) lowResolution(encoder);
  if (device !== undefined && device !== "cpu") residentAttack(attack);
  if (attack.start !== "previous") return;
  if (epochs === 1) {
    throw new UsageError("The attack cannot start at the last epoch's perturbations when there is one epoch only.");
  }
  checkKept(images, encoder.imageSize);
}

/** @throws UsageError when the attack is one for the CPU */
export function residentAttack(attack: InnerAttack): FixedSteps {
  if (attack.schedule === "apgd") throw new UsageError("The inner attack's APGD schedule runs on CPU only.");
  if (isInt8(attack)) throw new UsageError("The inner attack in int8 runs on CPU only.");
  if (attack.start !== "previous") return attack;
  throw new UsageError("The inner attack can start at the last epoch's perturbations on CPU only.");
}
