import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { afterAll, expect, test } from "vitest";
import { decodeModel } from "../../onnx/index.ts";
import { randomStream } from "../../random.ts";
import { residualNetwork } from "../../testing/onnx-networks.ts";
import { writeSplit } from "../../testing/split-weights.ts";
import { tinyClip } from "../../testing/tiny-clip.ts";
import type { Encoder } from "../encoder.ts";
import { loadEncoder } from "../load.ts";
import { normalizations } from "../normalizations.ts";
import { OnnxText } from "../text/onnx-text.ts";
import { saveFloat16Copies } from "./float16-copies.ts";
import { saveEncoder } from "./save.ts";

const base = mkdtempSync(join(tmpdir(), "lore-onnx-saving-"));
afterAll(() => rmSync(base, { recursive: true, force: true }));
let count = 0;
const fresh = (): string => join(base, `${count++}`);

const plain = { normalization: normalizations.none };

/** Every output of a file in ONNX Runtime, for one image of noise. */
async function outputs(path: string): Promise<readonly Float32Array[]> {
  const session = await InferenceSession.create(path, { intraOpNumThreads: 1 });
  const [input] = session.inputMetadata as readonly { readonly name: string; readonly shape: readonly unknown[] }[];
  const shape = input!.shape.map((size, axis) => (axis === 0 ? 1 : (size as number)));
  const data = randomStream("saved").normal;
  const length = shape.reduce((a, b) => a * b, 1);
  const feeds = {
    [input!.name]: new Tensor(
      "float32",
      Float32Array.from({ length }, () => data()),
      shape,
    ),
  };
  const made = await session.run(feeds);
  await session.release();
  return Object.values(made).map((tensor) => tensor.data as Float32Array);
}

function doubled(encoder: Encoder): Encoder {
  return encoder.withParameters(
    new Map(
      [...encoder.parameters].map(([name, tensor]) => [name, { ...tensor, data: tensor.data.map((x) => 2 * x) }]),
    ),
  );
}

const placements: readonly (readonly [string, (index: number) => string])[] = [
  ["a file a tensor", (index) => `tensor${String(index).padStart(2, "0")}`],
  ["several tensors a file", (index) => `weights${index % 3}`],
  ["in a folder below", (index) => `parts/w${index % 2}`],
];

test.each(placements)(
  "weights in files of their own, %s: what is saved loads and computes what it should",
  async (_, at) => {
    const path = join(fresh(), "net.onnx");
    writeSplit(path, residualNetwork(), at);
    const expected = await outputs(path);
    // Frozen weights, running statistics and the head lie in external files too.
    const encoder = await loadEncoder(path, { ...plain, freeze: ["bn*", "block.bias"] });
    const same = fresh();
    saveEncoder(encoder, same);
    rmSync(path);
    expect(await outputs(join(same, "onnx/net.onnx"))).toEqual(expected);
    expect(readdirSync(join(same, "onnx")).length).toBe(readdirSync(dirname(path)).length + 1);
    const [copy] = await saveFloat16Copies(same, 16);
    expect(copy!.path).toBe("onnx/net_fp16.onnx");

    const changed = fresh();
    saveEncoder(doubled(encoder), changed);
    const again = await loadEncoder(changed, { freeze: ["bn*", "block.bias"] });
    for (const [name, { data }] of encoder.parameters)
      expect(again.parameters.get(name)!.data, name).toEqual(data.map((x) => 2 * x));
    expect(again.head).toEqual(encoder.head);
    expect(await outputs(join(changed, "onnx/net.onnx"))).not.toEqual(expected);
  },
);

test("a text tower's weights go along, whatever their files are called", async () => {
  const made = fresh();
  saveEncoder(tinyClip(), made);
  for (const name of ["model.safetensors", "onnx/model.onnx"]) rmSync(join(made, name));
  const path = join(made, "onnx/text_model.onnx");
  writeSplit(path, decodeModel(readFileSync(path)), (index) => `text___${index % 2}`, 48);
  const encoder = await loadEncoder(made);
  expect(encoder.text).toBeInstanceOf(OnnxText);
  const wanted = await encoder.text!.embed(["red cat"], { threads: 1 });
  const folder = fresh();
  saveEncoder(encoder, folder);
  rmSync(made, { recursive: true });
  const again = await loadEncoder(folder);
  expect(await again.text!.embed(["red cat"], { threads: 1 })).toEqual(wanted);
});

test("two files of weights that would become one are refused when the encoder is opened", async () => {
  const made = fresh();
  saveEncoder(tinyClip(), made);
  const read = (name: string) => decodeModel(readFileSync(join(made, "onnx", name)));
  writeSplit(join(made, "onnx/text_model.onnx"), read("text_model.onnx"), () => "weights_");
  writeSplit(join(made, "vision_model.onnx"), read("vision_model.onnx"), () => "weights_");
  await expect(loadEncoder(join(made, "vision_model.onnx"))).rejects.toThrow(/each call a file of weights weights_/);
});

test("the tokeniser that was read is saved, in transformers' form", async () => {
  const made = fresh();
  saveEncoder(tinyClip(), made);
  for (const name of ["model.safetensors", "onnx/model.onnx"]) rmSync(join(made, name));
  const encoder = await loadEncoder(made);
  // As where it was read from files of OpenAI's, which are no settings.
  for (const name of encoder.text!.tokenizer.files.keys()) rmSync(join(made, name), { force: true });
  const folder = fresh();
  saveEncoder(encoder, folder);
  expect((await loadEncoder(folder)).text!.tokenizer.encode("red cat", 24)).toEqual(
    encoder.text!.tokenizer.encode("red cat", 24),
  );
});

const faults = fileURLToPath(new URL("../../../../shared/data/faults/external-data/model/", import.meta.url));
const hasData = existsSync(faults);

test.skipIf(!hasData)(`a file that onnx wrote, one a tensor${hasData ? "" : " (no ../shared/data)"}`, async () => {
  const from = fresh();
  cpSync(faults, from, { recursive: true });
  const encoder = await loadEncoder(join(from, "model.onnx"), plain);
  const folder = fresh();
  saveEncoder(encoder, folder);
  expect(readdirSync(join(folder, "onnx")).sort()).toEqual(readdirSync(from).sort());
  expect(await outputs(join(folder, "onnx/model.onnx"))).toEqual(await outputs(join(from, "model.onnx")));
  await saveFloat16Copies(folder, encoder.imageSize);
  expect((await loadEncoder(folder, plain)).parameters).toEqual(encoder.parameters);
});

test("what cannot be read is said by name", async () => {
  const path = join(fresh(), "net.onnx");
  writeSplit(path, residualNetwork(), (index) => `tensor${String(index).padStart(2, "0")}`);
  rmSync(join(dirname(path), "tensor03"));
  await expect(loadEncoder(path, plain)).rejects.toThrow(/external file "tensor03", which cannot be read/);
  writeFileSync(join(dirname(path), "tensor03"), "");
  await expect(loadEncoder(path, plain)).rejects.toThrow(/tensor03/);
});
