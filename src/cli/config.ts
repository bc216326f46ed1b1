import { UsageError } from "../errors.ts";
import { readJson } from "../files.ts";
import { flagOf } from "./option.ts";
import type { TrainFlags } from "./train.ts";

type Settings = Readonly<Record<string, unknown>>;

/** Named sets of training options. */
const presets: Readonly<Record<string, Partial<TrainFlags>>> = {
  /** Appendix C of the paper: for CLIP's ViT-B/32 on ImageNet, with batches of hundreds. */
  paper: {
    method: "lore",
    learningRate: 1e-5,
    weightDecay: 1e-4,
    stepsPerBatch: 5,
    rho: 0.1,
    marginExponent: 2,
    dual: "network",
    dualLearningRate: 5e-4,
  },
};

export const presetNames: readonly string[] = Object.keys(presets);

/**
 * Replaces `--preset NAME` and `--config FILE` by the options they stand for. These come before the others: they go through
 * the same checks, and the command line wins.
 *
 * @throws UsageError when the preset is unknown or the file is not a JSON object of options
 */
export function expandSettings(args: readonly string[]): readonly string[] {
  const rest: string[] = [];
  const expanded: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const [, flag, inline] = /^(--preset|--config)(?:=(.*))?$/s.exec(args[i]!) ?? [];
    if (flag === undefined) {
      rest.push(args[i]!);
      continue;
    }
    const value = inline ?? args[++i];
    if (value === undefined) throw new UsageError(`${flag} needs a value.`);
    expanded.push(...toArguments(flag === "--preset" ? preset(value) : fileSettings(value)));
  }
  const [command, ...options] = rest;
  return command === undefined ? expanded : [command, ...expanded, ...options];
}

function preset(name: string): Settings {
  if (!presetNames.includes(name)) throw new UsageError(`Unknown preset ${name}: there is ${presetNames.join(", ")}.`);
  return presets[name]!;
}

function fileSettings(path: string): Settings {
  const json = readJson(path);
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    throw new UsageError(`${path} must hold a JSON object of options, such as {"epochs": 2, "rho": 0.1}.`);
  }
  return json as Settings;
}

function toArguments(settings: Settings): readonly string[] {
  return Object.entries(settings).flatMap(([name, value]) => {
    const flag = flagOf(name);
    if (value === true) return [flag];
    if (value === false || value === null) return [];
    if (Array.isArray(value)) return [flag, ...value.map(String)];
    return [flag, String(value)];
  });
}
