import { Command } from "commander";
import { describe, expect, test } from "vitest";
import { apgd, attackList, autoAttack, fab, noise, pgd, square } from "../attacks/index.ts";
import { UsageError } from "../errors.ts";
import { type AttackFlags, attacksOf, withAttackFlags } from "./attacks.ts";

/** The attacks that these arguments ask for. */
function asked(...args: readonly string[]) {
  const command = withAttackFlags(new Command("evaluate"))
    .exitOverride()
    .configureOutput({ writeErr: () => {} });
  command.parse(["node", "lore", ...args]);
  return attacksOf(command.opts<AttackFlags>());
}

const epsilon = 2 / 255;
const l2 = { epsilon: 0.5, norm: "l2" } as const;

test.each([
  ["none", []],
  ["pgd", [pgd({ epsilon })]],
  ["apgd", [apgd({ epsilon })]],
  ["apgd-ce", [apgd({ epsilon })]],
  ["apgd-dlr", [apgd({ epsilon, loss: "dlr" })]],
  ["apgd-t", [apgd({ epsilon, loss: "targeted-dlr" })]],
  ["fab", [fab({ epsilon, targeted: false })]],
  ["fab-t", [fab({ epsilon })]],
  ["square", [square({ epsilon })]],
  ["autoattack", [autoAttack({ epsilon })]],
  ["standard", [autoAttack({ epsilon })]],
  ["autoattack-plus", [autoAttack({ epsilon, version: "plus" })]],
  ["autoattack-rand", [autoAttack({ epsilon, version: "rand" })]],
  ["lore", [autoAttack({ epsilon, version: "lore" })]],
  ["uniform-noise", [noise({ epsilon })]],
  ["gaussian-noise", [noise({ epsilon, distribution: "gaussian" })]],
  ["apgd-ce,square", [attackList([apgd({ epsilon }), square({ epsilon })])]],
  ["pgd, apgd-t", [attackList([pgd({ epsilon }), apgd({ epsilon, loss: "targeted-dlr" })])]],
])("--attack %s has the attack's own defaults", (name, attacks) => {
  expect(asked("--attack", name)).toEqual(attacks);
});

test("without --attack there is none", () => {
  expect(asked()).toEqual([]);
});

describe("settings that are given", () => {
  test("reach the attack, one an epsilon", () => {
    expect(asked("--attack", "pgd", "--epsilon", "1/255,0.5/255", "--steps", "7", "--restarts", "3")).toEqual(
      [1, 0.5].map((levels) => pgd({ epsilon: levels / 255, steps: 7, restarts: 3 })),
    );
    expect(asked("--attack", "pgd", "--step-size", "1/255", "--momentum", "0.75", "--attack-loss", "dlr")).toEqual([
      pgd({ epsilon, stepSize: 1 / 255, momentum: 0.75, loss: "dlr" }),
    ]);
    expect(asked("--attack", "apgd", "--attack-loss", "embedding-cosine", "--eot", "4")).toEqual([
      apgd({ epsilon, loss: "embedding-cosine", eot: 4 }),
    ]);
    expect(asked("--attack", "apgd-t", "--targets", "3", "--steps", "50")).toEqual([
      apgd({ epsilon, loss: "targeted-dlr", targets: 3, steps: 50 }),
    ]);
    expect(asked("--attack", "fab-t", "--targets", "3", "--restarts", "2")).toEqual([
      fab({ epsilon, targets: 3, restarts: 2 }),
    ]);
    expect(asked("--attack", "square", "--queries", "90")).toEqual([square({ epsilon, queries: 90 })]);
    expect(asked("--attack", "gaussian-noise", "--restarts", "9")).toEqual([
      noise({ epsilon, distribution: "gaussian", restarts: 9 }),
    ]);
  });

  test("reach those of a list that have them", () => {
    const args = ["--steps", "7", "--queries", "90", "--targets", "3", "--restarts", "2"];
    expect(asked("--attack", "apgd-ce,apgd-t,square", ...args)).toEqual([
      attackList([
        apgd({ epsilon, steps: 7, restarts: 2 }),
        apgd({ epsilon, loss: "targeted-dlr", steps: 7, targets: 3, restarts: 2 }),
        square({ epsilon, queries: 90, restarts: 2 }),
      ]),
    ]);
  });

  test("norms: l2 for all, l1 where there is an attack for it", () => {
    expect(asked("--attack", "square", "--norm", "l2", "--epsilon", "0.5")).toEqual([square(l2)]);
    expect(asked("--attack", "autoattack", "--norm", "l2", "--epsilon", "128/255")).toEqual([
      autoAttack({ norm: "l2", epsilon: 128 / 255 }),
    ]);
    expect(asked("--attack", "apgd-t", "--norm", "l1", "--epsilon", "12")).toEqual([
      apgd({ epsilon: 12, norm: "l1", loss: "targeted-dlr" }),
    ]);
    expect(asked("--attack", "lore", "--norm", "l1", "--epsilon", "12")).toEqual([
      autoAttack({ epsilon: 12, norm: "l1", version: "lore" }),
    ]);
    for (const name of ["pgd", "fab", "fab-t", "square", "apgd,square"])
      expect(() => asked("--attack", name, "--norm", "l1")).toThrow(/l1 does not go with .*made for linf and l2/);
  });
});

describe("what is refused", () => {
  test.each([
    [["--attack", "pgdd"], /no attack "pgdd"; there are none, pgd, apgd, .*, gaussian-noise/],
    [["--attack", "pgd,,apgd"], /no attack ""/],
    [["--attack", "toString"], /no attack "toString"/],
    [["--attack", "pgd", "--epsilon", "1/255,x"], /--epsilon.*'1\/255,x'.*2\/255/],
    [["--attack", "pgd", "--epsilon", "1/0"], /--epsilon/],
    [["--attack", "pgd", "--attack-loss", "hinge"], /Allowed choices are ce, dlr/],
  ])("%j, as arguments", (args, message) => {
    expect(() => asked(...args)).toThrow(message);
  });

  test.each([
    [["--steps", "3"], /--steps needs an attack/],
    [["--epsilon", "2/255"], /--epsilon needs an attack/],
    [["--attack", "square", "--steps", "3"], /--steps does not go with --attack square, which takes .*--queries/],
    [["--attack", "pgd", "--queries", "3"], /--queries does not go with --attack pgd.*--attack-loss.*--step-size/],
    [["--attack", "apgd-dlr", "--attack-loss", "ce"], /--attack-loss does not go with --attack apgd-dlr/],
    [["--attack", "apgd-ce", "--targets", "3"], /--targets does not go with/],
    [["--attack", "apgd", "--step-size", "1/255"], /--step-size does not go with/],
    [["--attack", "fab", "--eot", "2"], /--eot does not go with/],
    [["--attack", "gaussian-noise", "--norm", "l2"], /--norm does not go with/],
    [["--attack", "pgd,square", "--eot", "2"], /--eot does not go with --attack pgd,square/],
    [
      ["--attack", "lore", "--steps", "3"],
      /--steps does not go with --attack lore.*list them: --attack apgd-ce,apgd-t/,
    ],
    [["--attack", "apgd,apgd-ce"], /apgd-ce is in the list twice/],
    [["--attack", "apgd,apgd-dlr", "--attack-loss", "dlr"], /apgd-dlr is in the list twice/],
    [["--attack", "pgd,autoattack"], /autoattack cannot stand in a list/],
    [["--attack", "none,pgd,uniform-noise"], /none and uniform-noise cannot stand in a list/],
    [["--attack", "pgd", "--epsilon", "2"], /Epsilon 2 is outside \[0, 1\].*2\/255/],
  ])("%j, by what they ask for", (args, message) => {
    expect(() => asked(...args)).toThrow(UsageError);
    expect(() => asked(...args)).toThrow(message);
  });
});
