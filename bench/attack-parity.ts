/**
 * Compares the attacks with the reference AutoAttack (bench/peer/autoattack.py), each by itself, on the same encoder and
 * images: robust accuracy, seconds, and the largest losses that APGD reaches from the same starts. docs/ATTACKS.md has
 * the commands and their results.
 *
 * Writes to --out the peer's input (`encoder/`, `data.safetensors`) and its own results (`ours.jsonl`). Existing results
 * are not measured again. With --peer it also prints the tables.
 */
import { appendFileSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type ImageSource, openSource } from "../src/data/index.ts";
import { victimOf } from "../src/inference/victim.ts";
import { Attacker } from "../src/measure/accuracy/attacker.ts";
import { type CorrectImage, joined } from "../src/measure/accuracy/chunk.ts";
import { type Encoder, loadEncoder } from "../src/models/index.ts";
import { lossTable, type Ours, parityTable, readPeer } from "./attack-parity-table.ts";
import { type AttackName, attackNames, measure, parityAttack } from "./parity-attacks.ts";
import { type ParityImages, readImages, seed, writeForPeer } from "./parity-images.ts";

const { values } = parseArgs({
  options: {
    encoder: { type: "string" },
    data: { type: "string" },
    "image-size": { type: "string" },
    limit: { type: "string", default: "200" },
    epsilon: { type: "string", default: "2/255" },
    attacks: { type: "string", default: "" },
    "best-loss": { type: "string", default: "" },
    "best-loss-images": { type: "string", default: "32" },
    queries: { type: "string", default: "1000" },
    batch: { type: "string", default: "16" },
    threads: { type: "string", default: "2" },
    out: { type: "string" },
    peer: { type: "string", multiple: true, default: [] },
  },
});
const required = (name: "encoder" | "data" | "out"): string => {
  const value = values[name];
  if (value === undefined) throw new Error(`--${name} is missing`);
  return value;
};
const [numerator, denominator = 1] = values.epsilon.split("/").map(Number) as [number, number?];
const epsilon = numerator / denominator;
const compileOptions = { batch: Number(values.batch), threads: Number(values.threads) };
const options = { ...compileOptions, epsilon, limit: Number(values.limit), queries: Number(values.queries) };

const namesIn = (list: string): readonly AttackName[] =>
  list.split(",").filter((name): name is AttackName => {
    if (name !== "" && !(attackNames as readonly string[]).includes(name))
      throw new Error(`There is no attack ${name} here.`);
    return name !== "";
  });

/** The largest losses of all steps from the given starts, successes or not; aimed at the likeliest other class. */
async function bestLosses(
  encoder: Encoder,
  source: ImageSource,
  name: AttackName,
  images: ParityImages,
): Promise<Ours> {
  const chosen = images.right.slice(0, Number(values["best-loss-images"]));
  const attacker = new Attacker(await victimOf(encoder, source), { ...compileOptions, relentless: true });
  const size = 3 * encoder.imageSize ** 2;
  const start = ({ index, pixels }: CorrectImage): Float32Array =>
    pixels.map((x, i) => Math.min(Math.max(x + Math.fround(epsilon) * images.starts[index * size + i]!, 0), 1));
  const attack = parityAttack(name, options);
  const { loss } = await attacker.run("targets" in attack ? { ...attack, targets: 1 } : attack, {
    clean: joined(chosen.map(({ pixels }) => pixels)),
    count: chosen.length,
    keys: chosen.map(({ index }) => index),
    labels: chosen.map(({ label }) => label),
    others: (i) => chosen[i]!.others,
    starts: joined(chosen.map(start)),
    seed,
  });
  await attacker.dispose();
  return { attack: name, epsilon, images: chosen.map(({ index }) => index), bestLosses: Array.from(loss) };
}

async function main(): Promise<void> {
  const folder = required("out");
  mkdirSync(folder, { recursive: true });
  const kept = join(folder, "ours.jsonl");
  const ours = (existsSync(kept) ? readFileSync(kept, "utf8") : "")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Ours);
  const keep = (result: Ours): void => {
    ours.push(result);
    appendFileSync(kept, `${JSON.stringify(result)}\n`);
  };
  const known = (attack: AttackName, kind: "broken" | "bestLosses"): boolean =>
    ours.some((one) => one.attack === attack && one.epsilon === epsilon && kind in one);
  const open = namesIn(values.attacks).filter((name) => !known(name, "broken"));
  const openLosses = namesIn(values["best-loss"]).filter((name) => !known(name, "bestLosses"));
  const prepared = existsSync(join(folder, "data.safetensors"));
  if (!prepared || open.length + openLosses.length > 0) {
    const size = values["image-size"];
    const encoder = await loadEncoder(required("encoder"), size === undefined ? {} : { imageSize: Number(size) });
    const source = await openSource(required("data"), { seed });
    if (!encoder.head) throw new Error("The peer needs an encoder with a fixed head.");
    const images = prepared && openLosses.length === 0 ? undefined : await readImages(encoder, source, options);
    if (images && !prepared) writeForPeer(folder, encoder, source, images);
    for (const name of open) keep(await measure(folder, encoder, source, name, options));
    for (const name of openLosses) keep(await bestLosses(encoder, source, name, images!));
  }
  if (values.peer.length === 0) return;
  const peer = values.peer.flatMap(readPeer);
  process.stdout.write(`${parityTable(ours, peer)}\n\n${lossTable(ours, peer)}\n`);
}

await main();
