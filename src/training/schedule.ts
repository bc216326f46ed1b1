/**
 * Learning rate of an optimiser step: linear warm-up to the peak, then half a cosine down to zero (open_clip's
 * schedule, which FARE uses).
 *
 * @param step from 0 to total - 1
 * @param warmup number of warm-up steps
 */
export function learningRateAt(step: number, peak: number, warmup: number, total: number): number {
  if (step < warmup) return (peak * (step + 1)) / warmup;
  const progress = (step - warmup) / Math.max(total - warmup, 1);
  return 0.5 * (1 + Math.cos(Math.PI * Math.min(progress, 1))) * peak;
}
