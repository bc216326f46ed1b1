import { Command } from "commander";
import { expect, test } from "vitest";
import { innerAttack } from "../attacks/index.ts";
import { UsageError } from "../errors.ts";
import { type ObjectiveFlags, objectiveOf, objectiveOptions } from "./objective.ts";
import { withOptions } from "./option.ts";

/** The objective that these arguments of `lore train` ask for. */
function asked(...args: readonly string[]) {
  const command = withOptions(new Command("train"), objectiveOptions).exitOverride();
  command.parse(["node", "lore", "--method", "fare", "--epsilon", "4/255", ...args]);
  const objective = objectiveOf(command.opts<ObjectiveFlags>());
  if (typeof objective === "function") throw new Error("FARE needs no classifier.");
  return objective;
}

const epsilon = 4 / 255;

test("the inner attack: fixed steps with their settings, or Auto-PGD's schedule", () => {
  expect(asked().attack).toEqual(innerAttack({ epsilon }));
  expect(asked("--attack-steps", "3", "--attack-step-size", "1/255", "--attack-momentum", "0.9").attack).toEqual(
    innerAttack({ epsilon, steps: 3, stepSize: 1 / 255, momentum: 0.9 }),
  );
  expect(asked("--attack-schedule", "apgd", "--attack-steps", "5", "--attack-start", "zero").attack).toEqual(
    innerAttack({ epsilon, schedule: "apgd", steps: 5, start: "zero" }),
  );
});

test.each([
  [["--attack-step-size", "1/255"], /--attack-step-size does not go with --attack-schedule apgd/],
  [["--attack-momentum", "0.9"], /--attack-momentum does not go with/],
  [["--attack-precision", "int8"], /--attack-precision int8 does not go with/],
])("Auto-PGD's schedule takes no %j", (args, message) => {
  expect(() => asked("--attack-schedule", "apgd", ...args)).toThrow(UsageError);
  expect(() => asked("--attack-schedule", "apgd", ...args)).toThrow(message);
});
