import type { RandomStream } from "../random.ts";
import { gaussianFilter } from "./filters.ts";
import type { Settings } from "./parameters.ts";
import { bilinear, eachPlane } from "./planes.ts";
import type { Subject } from "./subject.ts";

type Point = readonly [x: number, y: number];

/** A random affine map, then random smooth displacements (Simard et al. 2003). */
export function elasticTransform(
  { image, size, random }: Subject,
  [weight, sigma, reach]: Settings["elastic_transform"],
): Float32Array {
  const affine = randomAffine(size, reach, random);
  const moved = eachPlane(image, (plane) =>
    mapped(plane, size, (x, y) => {
      const [u, v] = affine(x, y);
      return bilinear(plane, size, u, v, "mirror");
    }),
  );
  const displacements = (): Float32Array => {
    const noise = new Float32Array(size * size).map(() => random.uniform(-1, 1));
    return gaussianFilter(noise, size, sigma, { border: "reflect", truncate: 3 }).map((d) => weight * d);
  };
  const dx = displacements();
  const dy = displacements();
  return eachPlane(moved, (plane) =>
    mapped(plane, size, (x, y) => {
      const at = y * size + x;
      return bilinear(plane, size, x + dx[at]!, y + dy[at]!, "reflect");
    }),
  );
}

function mapped(plane: Float32Array, size: number, value: (x: number, y: number) => number): Float32Array {
  const result = new Float32Array(plane.length);
  for (let y = 0; y < size; y++) for (let x = 0; x < size; x++) result[y * size + x] = value(x, y);
  return result;
}

/** Where the affine map that moves three points around the centre at random takes a pixel from. */
function randomAffine(size: number, reach: number, random: RandomStream): (x: number, y: number) => Point {
  const center = Math.floor(size / 2);
  const third = Math.floor(size / 3);
  const [far, near] = [center + third, center - third];
  const points: readonly Point[] = [
    [far, far],
    [far, near],
    [near, near],
  ];
  const [a, b, c] = points.map(
    ([x, y]): Point => [x + random.uniform(-reach, reach), y + random.uniform(-reach, reach)],
  );
  const [p, q, r] = points;
  // In the triangle's own coordinates the map is the identity.
  const [abx, aby, bcx, bcy] = [b![0] - a![0], b![1] - a![1], c![0] - b![0], c![1] - b![1]];
  const determinant = abx * bcy - aby * bcx;
  return (x, y) => {
    const [ax, ay] = [x - a![0], y - a![1]];
    const s = (ax * bcy - ay * bcx) / determinant;
    const t = (abx * ay - aby * ax) / determinant;
    return [p![0] + s * (q![0] - p![0]) + t * (r![0] - q![0]), p![1] + s * (q![1] - p![1]) + t * (r![1] - q![1])];
  };
}
