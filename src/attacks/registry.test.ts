import { describe, expect, test } from "vitest";
import { apgd } from "./apgd.ts";
import { type AttackDescriptor, attackOf } from "./descriptor.ts";
import { fab } from "./fab.ts";
import { attackNames } from "./named-attacks.ts";
import { noise } from "./noise.ts";
import { pgd } from "./pgd.ts";
import { planOf } from "./plan.ts";
import { type Attack, attackKinds, maxPoints, targetCount } from "./registry.ts";
import { choice, count } from "./settings.ts";
import { type Square, square } from "./square.ts";

const epsilon = 0.1;
const classes = 4;
const length = 3 * 8 * 8;

/** All restarts and targets of an attack on one image; `answer` gives loss and success, from the count of points. */
function pointsOf(attack: Attack, answer: (points: number) => readonly [loss: number, success: boolean]): number {
  const clean = new Float32Array(length).fill(0.5);
  const plan = planOf(attack, { clean, count: 1, keys: [0], seed: 0, others: () => [2, 1, 0], classes });
  let points = 0;
  for (let run = 0; run < plan.runs; run++) {
    const search = plan.begin(0, run);
    let next = search.next();
    while (!next.done) {
      points++;
      const [loss, success] = answer(points);
      const gradient = new Float32Array(length).map((_, i) => Math.sin(i + points));
      next = search.next({ loss, gradient, success });
    }
  }
  return points;
}

const attacks: readonly Attack[] = [
  pgd({ epsilon, steps: 4, restarts: 2 }),
  apgd({ epsilon, steps: 7 }),
  apgd({ epsilon, norm: "l1", steps: 7 }),
  apgd({ epsilon, loss: "targeted-dlr", steps: 7, restarts: 2 }),
  fab({ epsilon, steps: 4 }),
  fab({ epsilon, steps: 4, targeted: false, restarts: 3 }),
  square({ epsilon, queries: 9 }),
  noise({ epsilon, restarts: 3 }),
];

test.each(attacks)("$kind: a run evaluates as many points as its descriptor says where it never succeeds", (attack) => {
  // FAB asks again for its first class where a point is misclassified outside the ball, which never happens here.
  const spare = attack.kind === "fab" ? attack.restarts * targetCount(attack, classes) * (attack.steps + 1) : 0;
  expect(pointsOf(attack, (points) => [-1 / points, false])).toBe(maxPoints(attack, classes) - spare);
});

test.each(attacks)("$kind: and never more", (attack) => {
  for (const rate of [2, 3, 5])
    expect(pointsOf(attack, (points) => [Math.cos(points), points % rate === 0])).toBeLessThanOrEqual(
      maxPoints(attack, classes),
    );
});

test("every kind is under the key of its own name, and no name stands for two attacks", () => {
  expect(attackKinds.map(({ kind }) => kind)).toEqual(["pgd", "apgd", "fab", "square", "noise"]);
  expect(new Set(attackNames).size).toBe(attackNames.length);
});

test("each name of each kind makes an attack from its fixed settings and defaults", () => {
  for (const kind of attackKinds) {
    for (const [name, { fixed, takes }] of Object.entries(kind.variants)) {
      const attack = attackOf<Attack>(kind, { ...fixed, epsilon });
      expect(attack.kind, name).toBe(kind.kind);
      // All that may be given with the name is a setting of this very attack.
      for (const setting of takes) expect(attack, name).toHaveProperty(setting);
      expect(kind.classes(attack), name).toBeGreaterThanOrEqual(2);
    }
  }
});

describe("a descriptor of one's own", () => {
  interface Probe extends Pick<Square, "norm" | "epsilon" | "restarts"> {
    readonly kind: "probe";
    readonly depth: number;
  }
  const probe = {
    kind: "probe",
    title: "Probe",
    variants: { probe: { takes: ["norm", "depth"] } },
    settings: {
      norm: choice(["l2", "linf"], "norm"),
      depth: { ...count(3, "depth"), only: { where: ({ norm }) => norm === "l2", words: "l2" } },
      restarts: count(1, "runs"),
    },
  } as const satisfies Pick<AttackDescriptor<Probe>, "kind" | "title" | "variants" | "settings">;
  const make = (options: { readonly epsilon: number; readonly [name: string]: unknown }) =>
    attackOf<Probe>(probe, options);

  test("gets its defaults, in the order of its settings", () => {
    expect(JSON.stringify(make({ epsilon }))).toBe('{"kind":"probe","norm":"l2","depth":3,"restarts":1,"epsilon":0.1}');
    expect(make({ epsilon, norm: "linf" })).toEqual({ kind: "probe", norm: "linf", restarts: 1, epsilon });
  });

  test.each([
    [{ epsilon: -1 }, /Epsilon -1/],
    [{ epsilon, norm: "l1" }, /Probe: norm must be one of l2, linf, got l1/],
    [{ epsilon, norm: "linf", depth: 2 }, /Probe: depth is for l2 only/],
    [{ epsilon, depth: "2" }, /Probe: depth must be a positive integer, got 2/],
    [{ epsilon, steps: 2 }, /Probe has no setting steps; it has norm, depth, restarts/],
  ])("%j is refused", (options, message) => {
    expect(() => make(options)).toThrow(message);
  });
});
