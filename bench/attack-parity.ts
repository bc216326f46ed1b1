/**
 * Holds the attacks against the reference AutoAttack (bench/peer/autoattack.py), each by itself, on the same encoder and
 * images: robust accuracy, seconds, and the largest losses that APGD reaches from the same starts. docs/ATTACKS.md has the
 * commands and what they gave.
 *
 * Writes to --out what the peer needs (`encoder/`, `data.safetensors`) and what it measures (`ours.jsonl`); what is there
 * is not measured again. With --peer it also prints the tables.
 */
import { appendFileSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type Attack, apgd, fab, square } from "../src/attacks/index.ts";
import { balancedSubset, type ImageSource, openBatches, openSource } from "../src/data/index.ts";
import { Attacker } from "../src/evaluation/attacker.ts";
import { type CorrectImage, correctImages, joined } from "../src/evaluation/chunk.ts";
import { headRows } from "../src/evaluation/classes.ts";
import { evaluate, ResultsFolder } from "../src/evaluation/index.ts";
import { Predictor } from "../src/evaluation/predictor.ts";
import { victimOf } from "../src/evaluation/victim.ts";
import { writeAtomically } from "../src/models/files.ts";
import { type Encoder, loadEncoder, saveEncoder } from "../src/models/index.ts";
import { encodeSafetensors } from "../src/models/safetensors.ts";
import type { Tensor } from "../src/onnx/tensor.ts";
import { randomStream } from "../src/random.ts";
import { lossTable, type Ours, parityTable, readPeer } from "./attack-parity-table.ts";

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
    batch: { type: "string", default: "64" },
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
const limit = Number(values.limit);
const queries = Number(values.queries);
const compileOptions = { batch: Number(values.batch), threads: Number(values.threads) };
const seed = 0;

/** The reference's `standard` settings of each. */
const attacks = {
  "apgd-ce": apgd({ epsilon }),
  "apgd-dlr": apgd({ epsilon, loss: "dlr" }),
  "apgd-t": apgd({ epsilon, loss: "targeted-dlr" }),
  "fab-t": fab({ epsilon }),
  square: square({ epsilon, queries }),
} as const satisfies Readonly<Record<string, Attack>>;

type Name = keyof typeof attacks;

const namesIn = (list: string): readonly Name[] =>
  list.split(",").filter((name): name is Name => {
    if (name !== "" && !(name in attacks)) throw new Error(`There is no attack ${name} here.`);
    return name !== "";
  });

/** Images as they are evaluated. */
interface Images {
  readonly pixels: Float32Array;
  readonly labels: readonly number[];
  /** Directions of starts: uniform in [-1, 1], one a pixel; shaped as `pixels`. */
  readonly starts: Float32Array;
  /** What is classified rightly, with positions among these images. */
  readonly right: readonly CorrectImage[];
}

async function readImages(encoder: Encoder, source: ImageSource): Promise<Images> {
  const predictor = await Predictor.compile(await victimOf(encoder, source), compileOptions);
  const order = balancedSubset(source, limit, seed);
  const parts: Float32Array[] = [];
  const labels: number[] = [];
  const right: CorrectImage[] = [];
  for await (const images of openBatches(source, { size: encoder.imageSize, batch: compileOptions.batch, order })) {
    const some = Array.from(images.labels);
    const indices = some.map((_, i) => labels.length + i);
    right.push(...correctImages({ ...images, indices }, await predictor.predict(images.pixels, some)));
    parts.push(images.pixels.slice());
    labels.push(...some);
  }
  await predictor.dispose();
  const pixels = joined(parts.flatMap((part) => chunksOf(part, 3 * encoder.imageSize ** 2)));
  const random = randomStream(seed, "parity starts");
  return { pixels, labels, starts: pixels.map(() => random.uniform(-1, 1)), right };
}

function chunksOf(all: Float32Array, size: number): readonly Float32Array[] {
  return Array.from({ length: all.length / size }, (_, i) => all.subarray(i * size, (i + 1) * size));
}

function writeForPeer(folder: string, encoder: Encoder, source: ImageSource, { pixels, labels, starts }: Images): void {
  saveEncoder(encoder, join(folder, "encoder"));
  const shape = [labels.length, 3, encoder.imageSize, encoder.imageSize];
  const whole = (list: readonly number[]): Tensor => ({
    dtype: "int64",
    shape: [list.length],
    data: BigInt64Array.from(list, BigInt),
  });
  const tensors = new Map<string, Tensor>([
    ["images", { dtype: "float32", shape, data: pixels }],
    ["starts", { dtype: "float32", shape, data: starts }],
    ["labels", whole(labels)],
    ["rows", whole(headRows(source, encoder.head!))],
  ]);
  writeAtomically(join(folder, "data.safetensors"), encodeSafetensors(tensors));
}

/** One attack as `lore evaluate` makes it. */
async function measure(folder: string, encoder: Encoder, source: ImageSource, name: Name): Promise<Ours> {
  const results = new ResultsFolder(join(folder, `${name} ${epsilon}`), { epsilon, limit, queries });
  if (results.counts.attacked > 0) throw new Error(`${folder}: ${name} was interrupted; remove its folder first.`);
  const result = await evaluate(encoder, source, { ...compileOptions, attacks: [attacks[name]], limit, seed, results });
  const order = balancedSubset(source, limit, seed);
  const lines = readFileSync(join(folder, `${name} ${epsilon}`, "results.jsonl"), "utf8")
    .trim()
    .split("\n");
  const records = lines.map((line) => JSON.parse(line) as { attack: string; index: number; broken: boolean });
  const broken = records.filter((record) => record.attack === name && record.broken);
  const { accuracy, seconds } = result.attacks[0]!;
  const right = Math.round(result.clean * result.images);
  return { attack: name, epsilon, accuracy, seconds, right, broken: broken.map(({ index }) => order.indexOf(index)) };
}

/** The largest losses of all steps from the given starts, successes or not; aimed at the likeliest other class. */
async function bestLosses(encoder: Encoder, source: ImageSource, name: Name, images: Images): Promise<Ours> {
  const chosen = images.right.slice(0, Number(values["best-loss-images"]));
  const attacker = new Attacker(await victimOf(encoder, source), { ...compileOptions, relentless: true });
  const size = 3 * encoder.imageSize ** 2;
  const start = ({ index, pixels }: CorrectImage): Float32Array =>
    pixels.map((x, i) => Math.min(Math.max(x + Math.fround(epsilon) * images.starts[index * size + i]!, 0), 1));
  const { loss } = await attacker.run(name === "apgd-t" ? { ...attacks[name], targets: 1 } : attacks[name], {
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
  const known = (attack: Name, kind: "broken" | "bestLosses"): boolean =>
    ours.some((one) => one.attack === attack && one.epsilon === epsilon && kind in one);
  const open = namesIn(values.attacks).filter((name) => !known(name, "broken"));
  const openLosses = namesIn(values["best-loss"]).filter((name) => !known(name, "bestLosses"));
  const prepared = existsSync(join(folder, "data.safetensors"));
  if (!prepared || open.length + openLosses.length > 0) {
    const size = values["image-size"];
    const encoder = await loadEncoder(required("encoder"), size === undefined ? {} : { imageSize: Number(size) });
    const source = await openSource(required("data"), { seed });
    if (!encoder.head) throw new Error("The peer needs an encoder with a fixed head.");
    const images = prepared && openLosses.length === 0 ? undefined : await readImages(encoder, source);
    if (images && !prepared) writeForPeer(folder, encoder, source, images);
    for (const name of open) keep(await measure(folder, encoder, source, name));
    for (const name of openLosses) keep(await bestLosses(encoder, source, name, images!));
  }
  if (values.peer.length === 0) return;
  const peer = values.peer.flatMap(readPeer);
  process.stdout.write(`${parityTable(ours, peer)}\n\n${lossTable(ours, peer)}\n`);
}

await main();
