import { expect, test } from "vitest";
import { randomStream } from "../random.ts";
import { randomImages } from "../testing/tiny.ts";
import { distance } from "./ball.ts";
import { square, squareSearch } from "./square.ts";

const size = 12;

test.each(["linf", "l2"] as const)("%s: a linear margin rises towards its worst case, within the ball", (norm) => {
  const clean = randomImages(1, { seed: 1, size, low: 0.2, high: 0.8 });
  const random = randomStream("weights");
  const weight = clean.map(() => random.normal());
  const epsilon = norm === "linf" ? 0.1 : 1;
  const search = squareSearch(square({ norm, epsilon, queries: 5000 }), { clean, random: randomStream("square") });
  let next = search.next(undefined as never);
  const losses: number[] = [];
  while (!next.done) {
    const { point } = next.value;
    expect(distance(norm, point, clean)).toBeLessThanOrEqual(epsilon + 1e-5);
    const loss = point.reduce((sum, x, i) => sum + weight[i]! * (x - clean[i]!), 0);
    losses.push(loss);
    next = search.next({ loss, gradient: new Float32Array(0), success: false });
  }
  const worst = epsilon * (norm === "linf" ? weight.reduce((sum, w) => sum + Math.abs(w), 0) : Math.hypot(...weight));
  // Squares of one sign cannot follow a random weight pixel by pixel; windows of a pixel (l-inf) come nearer than bumps.
  expect(next.value.loss / worst).toBeGreaterThan(norm === "linf" ? 0.75 : 0.45);
  expect(losses[0]! / worst).toBeLessThan(0.2);
  expect(next.value.loss).toBe(Math.max(...losses));
});
