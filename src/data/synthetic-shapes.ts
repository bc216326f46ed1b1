import type { Shape } from "./synthetic-scene.ts";

/*
 * Signed distances from a point to an outline: negative inside, about the distance in the neighbourhood of the outline,
 * which is all that antialiasing needs. Every shape fits the unit circle and covers about the same area.
 */
export type Distance = (x: number, y: number) => number;

type Point = readonly [x: number, y: number];

/** Math.hypot guards against overflow at many times the cost, and these numbers are about 1. */
const length = (x: number, y: number) => Math.sqrt(x * x + y * y);

const circle = (radius: number, centreX = 0, centreY = 0): Distance => {
  return (x, y) => length(x - centreX, y - centreY) - radius;
};

/** Distance to a polygon: nearest edge, negative where a ray to the right crosses an odd number of edges. */
export function polygon(points: readonly Point[]): Distance {
  const edges = points.map((start, i) => [...start, ...points[(i + 1) % points.length]!] as const);
  return (x, y) => {
    let nearest = Number.POSITIVE_INFINITY;
    let inside = false;
    for (const [x1, y1, x2, y2] of edges) {
      const [dx, dy] = [x2 - x1, y2 - y1];
      const along = Math.min(Math.max(((x - x1) * dx + (y - y1) * dy) / (dx * dx + dy * dy), 0), 1);
      nearest = Math.min(nearest, length(x - x1 - along * dx, y - y1 - along * dy));
      if (y1 > y !== y2 > y && x < x1 + ((y - y1) / dy) * dx) inside = !inside;
    }
    return inside ? -nearest : nearest;
  };
}

/** Corners on circles of these radii in turn, the first one at the top. */
function corners(count: number, ...radii: readonly number[]): Point[] {
  return Array.from({ length: count }, (_, i) => {
    const angle = (2 * Math.PI * i) / count;
    const radius = radii[i % radii.length]!;
    return [radius * Math.sin(angle), -radius * Math.cos(angle)];
  });
}

const arm = 0.29;
const reach = 0.9;
const plus: readonly Point[] = [
  [arm, -reach],
  [arm, -arm],
  [reach, -arm],
  [reach, arm],
  [arm, arm],
  [arm, reach],
  [-arm, reach],
  [-arm, arm],
  [-reach, arm],
  [-reach, -arm],
  [-arm, -arm],
  [-arm, -reach],
];
const box: readonly Point[] = [
  [-0.68, -0.68],
  [0.68, -0.68],
  [0.68, 0.68],
  [-0.68, 0.68],
];

const lobes = [circle(0.46, -0.41, -0.3), circle(0.46, 0.41, -0.3)] as const;
const tip = polygon([
  [0, -0.3],
  [0.79, -0.04],
  [0, 0.92],
  [-0.79, -0.04],
]);

/** Outline of each shape in its own coordinates: x to the right, y downwards, within the unit circle. */
export const outlines: Readonly<Record<Shape, Distance>> = {
  circle: circle(0.8),
  square: polygon(box),
  triangle: polygon(corners(3, 1)),
  star: polygon(corners(10, 1, 0.45)),
  ring: (x, y) => Math.abs(length(x, y) - 0.68) - 0.22,
  cross: polygon(plus),
  heart: (x, y) => Math.min(lobes[0](x, y), lobes[1](x, y), tip(x, y)),
  crescent: (x, y) => Math.max(length(x, y) - 0.92, 0.74 - length(x - 0.44, y)),
};
