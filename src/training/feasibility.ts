import type { StepMetrics } from "./metrics.ts";

const window = 20;

/**
 * Watches for a margin that the encoder cannot meet. Nearly every image then violates the constraint while lambda keeps
 * rising, until it drowns the adversarial term. Returns a warning once, else undefined.
 */
export class FeasibilityWatch {
  readonly #recent: StepMetrics[] = [];
  #warned = false;

  observe(metrics: StepMetrics): string | undefined {
    this.#recent.push(metrics);
    if (this.#recent.length > 2 * window) this.#recent.shift();
    if (this.#warned || this.#recent.length < 2 * window) return undefined;
    const [before, now] = [this.#recent.slice(0, window), this.#recent.slice(window)];
    const violations = average(now, "violationRate");
    const [lambdaBefore, lambdaNow] = [average(before, "lambdaMean"), average(now, "lambdaMean")];
    if (violations < 0.9 || lambdaNow <= 1.5 * lambdaBefore) return undefined;
    this.#warned = true;
    const [reached, allowed] = [average(now, "cleanDistance"), average(now, "threshold")];
    return (
      `the margin seems out of reach: ${Math.round(100 * violations)} % of images violate it while lambda rose from ` +
      `${lambdaBefore.toPrecision(3)} to ${lambdaNow.toPrecision(3)} in ${window} batches. The mean clean distance is ` +
      `${reached.toPrecision(4)}, the mean threshold ${allowed.toPrecision(4)}${largerMargin(reached / allowed)}. ` +
      "Left alone, lambda grows without end and robustness is lost; raise --rho (or " +
      "--threshold), lower --epsilon, or lower --dual-learning-rate."
    );
  }
}

/** Suggests a larger margin. Empty if the threshold is 0, since no multiple of it helps. */
function largerMargin(ratio: number): string {
  return Number.isFinite(ratio) ? `: a rho about ${ratio.toPrecision(2)} times as large would be met now` : "";
}

function average(
  metrics: readonly StepMetrics[],
  key: "violationRate" | "lambdaMean" | "cleanDistance" | "threshold",
): number {
  return metrics.reduce((sum, m) => sum + (m[key] ?? 0), 0) / metrics.length;
}
