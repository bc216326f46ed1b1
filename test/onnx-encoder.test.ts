import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { embedImages, loadEncoder, saveEncoder } from "../src/index.ts";
import { OnnxEncoder } from "../src/models/onnx/encoder.ts";
import { decodeModel, encodeModel, type OnnxModel, type ValueInfo } from "../src/onnx/index.ts";
import { AttributeType, attributeProto, functionProto, ModelProto, nodeProto, tensorProto } from "../src/onnx/proto.ts";
import { readMessage, writeMessage } from "../src/onnx/wire.ts";
import { toHalf } from "../src/tensor/half.ts";
import type { Tensor } from "../src/tensor/tensor.ts";
import { residualNetwork } from "../src/testing/onnx-networks.ts";
import { randomImages, tinyEncoder } from "../src/testing/tiny.ts";
import { tinyClip } from "../src/testing/tiny-clip.ts";
import { expectRefused, lore } from "./in-process.ts";

const base = mkdtempSync(join(tmpdir(), "lore-onnx-"));
const at = (name: string): string => join(base, name);
const compute = ["--threads", "1", "--device", "cpu"];

beforeAll(() => {
  vi.stubEnv("XDG_CACHE_HOME", at("cache"));
  writeFileSync(at("net.onnx"), encodeModel(residualNetwork()).bytes);
  saveEncoder(tinyClip(), at("clip"));
  rmSync(at("clip/model.safetensors"));
});
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(base, { recursive: true, force: true });
});

const read = (path: string): OnnxModel => decodeModel(readFileSync(path));

/** A file's embedding in ONNX Runtime itself. */
async function embedding(path: string, name: string, input: string, pixels: Float32Array, side: number) {
  const session = await InferenceSession.create(path, { intraOpNumThreads: 1 });
  const feeds = { [input]: new OrtTensor("float32", pixels, [pixels.length / (3 * side * side), 3, side, side]) };
  return (await session.run(feeds))[name]!.data as Float32Array;
}

test("a ConvNet's file: its last linear layer is the head; trained, it is the same file with other weights", async () => {
  const net = ["--encoder", at("net.onnx"), "--normalization", "none", "--data", "synthetic:24:test", ...compute];
  const attacked = await lore(["evaluate", ...net, "--attack", "pgd", "--steps", "10", "--epsilon", "0.5", "--json"]);
  expect(attacked.code, attacked.stderr).toBe(0);
  const { clean, attacks } = JSON.parse(attacked.stdout) as { clean: number; attacks: { accuracy: number }[] };
  expect(attacks[0]!.accuracy).toBeLessThan(clean);

  // Its linear layer is not part of the embedding.
  const bytes = await lore(["train", ...net, "--attack-precision", "int8", "--out", at("bytes")]);
  expect(bytes.stderr).toMatch(/no products by weights that int8 is for/);
  expect(existsSync(at("bytes"))).toBe(false);

  const trained = await lore([
    ...["train", ...net, "--method", "lore", "--epsilon", "4/255", "--attack-steps", "2", "--batch", "8"],
    ...["--limit", "16", "--freeze", "bn*", "--learning-rate", "1e-2", "--out", at("run"), "--float16-copy"],
  ]);
  expect(trained.code, trained.stderr).toBe(0);
  expect(trained.stderr).toMatch(/onnx\/net_fp16\.onnx: its outputs differ by 0\.\d+ % from/);
  const [before, after] = [read(at("net.onnx")), read(at("run/encoder/onnx/net.onnx"))];
  const changed = [...before.graph.initializers.keys()].filter(
    (name) => `${before.graph.initializers.get(name)!.data}` !== `${after.graph.initializers.get(name)!.data}`,
  );
  expect(changed).toEqual(["stem.weight", "block.weight", "block.bias"]);
  expect({ ...after, graph: { ...after.graph, initializers: 0 } }).toEqual({
    ...before,
    graph: { ...before.graph, initializers: 0 },
  });

  // The run folder is an encoder, its float16 copy notwithstanding, and says by itself how pixels are normalised.
  const again = await loadEncoder(at("run"));
  const pixels = randomImages(3, { size: 16 });
  const { head } = again;
  const ours = await embedImages(again, pixels, { threads: 1 });
  const logits = await embedding(at("run/encoder/onnx/net.onnx"), "logits", "input", pixels, 16);
  const [classes, size] = head!.weight.shape as [number, number];
  for (const [i, logit] of logits.entries()) {
    const [row, c] = [Math.floor(i / classes), i % classes];
    const own = ours
      .subarray(row * size, (row + 1) * size)
      .reduce((sum, x, d) => sum + x * head!.weight.data[c * size + d]!, head!.bias.data[c]!);
    // float32 through three layers, in another order.
    expect(own).toBeCloseTo(logit, 4);
  }

  // The original is opened as it was for training, without saying it again.
  const compared = await lore(["fidelity", "--encoder", at("run"), "--data", "synthetic:8:test", ...compute, "--json"]);
  expect(compared.code, compared.stderr).toBe(0);
  expect(JSON.parse(compared.stdout).original).toBe(at("net.onnx"));
});

test("a transformers.js folder without safetensors: image_embeds, zero-shot, and it stays such a folder", async () => {
  const clip = await loadEncoder(at("clip"));
  const pixels = randomImages(2);
  const ours = await embedImages(clip, pixels, { threads: 1 });
  const original = await embedImages(tinyClip(), pixels, { threads: 1 });
  for (const [i, value] of original.entries()) expect(ours[i]).toBeCloseTo(value, 5);
  expect(clip).toBeInstanceOf(OnnxEncoder);
  expect((clip as OnnxEncoder).output).toBe("image_embeds");

  saveEncoder(clip, at("copy"));
  for (const file of ["vision_model.onnx", "text_model.onnx"])
    expect(readFileSync(at(`copy/onnx/${file}`))).toEqual(readFileSync(at(`clip/onnx/${file}`)));
  expect(readFileSync(at("copy/preprocessor_config.json"), "utf8")).toBe(
    readFileSync(at("clip/preprocessor_config.json"), "utf8"),
  );
  const found = await lore([
    "evaluate",
    "--encoder",
    at("clip"),
    at("copy"),
    "--data",
    "synthetic:8:test",
    ...compute,
    "--json",
  ]);
  expect(found.code, found.stderr).toBe(0);
  const [one, two] = JSON.parse(found.stdout) as { clean: number; classes: number }[];
  expect(two!.clean).toBe(one!.clean);
});

test("external weights are read where they lie and written beside the file", async () => {
  const { bytes, external } = encodeModel(residualNetwork(), { externalData: { location: "net.bin", threshold: 64 } });
  mkdirSync(at("split"));
  writeFileSync(at("split/net.onnx"), bytes);
  writeFileSync(at("split/net.bin"), external!);
  const encoder = await loadEncoder(at("split/net.onnx"), { normalization: { mean: [0, 0, 0], std: [1, 1, 1] } });
  const halved = new Map(
    [...encoder.parameters].map(([name, tensor]) => [name, { ...tensor, data: tensor.data.map((x) => x / 2) }]),
  );
  saveEncoder(encoder.withParameters(halved), at("split-saved"));
  const saved = await loadEncoder(at("split-saved"));
  for (const [name, { data }] of saved.parameters) expect(data).toEqual(halved.get(name)!.data);
  expect(readFileSync(at("split-saved/onnx/net.onnx")).length).toBeLessThan(bytes.length + 200);

  const outside = decodeModel(bytes, (_, offset, length) => external!.subarray(offset, offset + length!));
  writeFileSync(
    at("split/out.onnx"),
    encodeModel(outside, { externalData: { location: "../net.bin", threshold: 64 } }).bytes,
  );
  await expect(loadEncoder(at("split/out.onnx"))).rejects.toThrow(/"\.\.\/net\.bin".*outside the model's own folder/);
});

test("a file of one image at a time serves batches; one of TensorFlow's order is given pixels so", async () => {
  const { graph, ...rest } = residualNetwork();
  const fixed = {
    ...graph,
    inputs: graph.inputs.map((input) => ({ ...input, shape: [1, ...input.shape.slice(1)] })),
    nodes: graph.nodes.map((node) => (node.op === "Reshape" ? { ...node, inputs: ["mean", "one row"] } : node)),
    initializers: new Map([
      ...graph.initializers,
      ["one row", { dtype: "int64", shape: [2], data: BigInt64Array.of(1n, 8n) } as const],
    ]),
  };
  writeFileSync(at("one.onnx"), encodeModel({ ...rest, graph: fixed }).bytes);
  const last = {
    ...graph,
    inputs: [{ name: "image", dtype: "float32" as const, shape: ["n", 16, 16, 3] }],
    nodes: [
      {
        ...graph.nodes[0]!,
        op: "Transpose",
        inputs: ["image"],
        outputs: ["input"],
        attributes: { perm: { kind: "ints" as const, value: [0, 3, 1, 2] } },
      },
      ...graph.nodes,
    ],
  };
  writeFileSync(at("last.onnx"), encodeModel({ ...rest, graph: last }).bytes);
  const pixels = randomImages(3, { size: 16 });
  const embed = async (name: string) =>
    embedImages(await loadEncoder(at(name), { normalization: { mean: [0, 0, 0], std: [1, 1, 1] } }), pixels, {
      threads: 1,
    });
  const [usual, single, channelsLast] = [await embed("net.onnx"), await embed("one.onnx"), await embed("last.onnx")];
  for (const [i, value] of usual.entries()) {
    expect(single[i]).toBeCloseTo(value, 5);
    expect(channelsLast[i]).toBeCloseTo(value, 5);
  }
});

test("a file of half precision is computed in float32, and stays one of half precision", async () => {
  const { graph, ...rest } = residualNetwork();
  const half = (tensor: Tensor): Tensor =>
    tensor.dtype === "float32"
      ? { ...tensor, dtype: "float16", data: Uint16Array.from(tensor.data as Float32Array, toHalf) }
      : tensor;
  const info = ({ dtype: _, ...one }: ValueInfo): ValueInfo => ({ ...one, dtype: "float16" });
  const file = {
    ...rest,
    graph: {
      ...graph,
      inputs: graph.inputs.map(info),
      outputs: graph.outputs.map(info),
      initializers: new Map([...graph.initializers].map(([name, tensor]) => [name, half(tensor)])),
    },
  };
  writeFileSync(at("half.onnx"), encodeModel(file).bytes);
  const plain = { normalization: { mean: [0, 0, 0], std: [1, 1, 1] } } as const;
  const [float, narrow] = [await loadEncoder(at("net.onnx"), plain), await loadEncoder(at("half.onnx"), plain)];
  const pixels = randomImages(2, { size: 16 });
  const [wanted, got] = [
    await embedImages(float, pixels, { threads: 1 }),
    await embedImages(narrow, pixels, { threads: 1 }),
  ];
  // Weights of 11 bits.
  for (const [i, value] of wanted.entries()) expect(Math.abs(got[i]! - value)).toBeLessThan(5e-3);
  saveEncoder(narrow, at("half-saved"));
  expect(readFileSync(at("half-saved/onnx/half.onnx"))).toEqual(readFileSync(at("half.onnx")));
});

test("a quantised file says so, and is saved in float32 under the same names", async () => {
  const { graph, ...rest } = residualNetwork();
  const weight = graph.initializers.get("block.weight")!;
  const bytes = Int8Array.from(weight.data as Float32Array, (x) => Math.round(x / 0.004));
  const quantized = {
    ...graph,
    nodes: [
      {
        ...graph.nodes[0]!,
        name: "dequantize",
        op: "DequantizeLinear",
        inputs: ["block.int8", "scale"],
        outputs: ["block.weight"],
        attributes: {},
      },
      ...graph.nodes,
    ],
    initializers: new Map<string, Tensor>([
      ...[...graph.initializers].filter(([name]) => name !== "block.weight"),
      ["block.int8", { dtype: "int8", shape: weight.shape, data: bytes }],
      ["scale", { dtype: "float32", shape: [], data: Float32Array.of(0.004) }],
    ]),
  };
  writeFileSync(at("int8.onnx"), encodeModel({ ...rest, graph: quantized }).bytes);
  const onWarning = vi.fn();
  const encoder = await loadEncoder(at("int8.onnx"), { normalization: { mean: [0, 0, 0], std: [1, 1, 1] }, onWarning });
  expect(onWarning).toHaveBeenCalledWith(expect.stringMatching(/int8\.onnx is quantised.*float32/));
  expect([...encoder.parameters.keys()]).toContain("block.weight");
  saveEncoder(encoder, at("int8-saved"));
  const pixels = randomImages(2, { size: 16 });
  const [before, after] = [at("int8.onnx"), at("int8-saved/onnx/int8.onnx")];
  const wanted = await embedding(before, "logits", "input", pixels, 16);
  expect([...(await embedding(after, "logits", "input", pixels, 16))].map((x) => x.toFixed(4))).toEqual(
    [...wanted].map((x) => x.toFixed(4)),
  );
});

test("what cannot be used is one clear message", async () => {
  const evaluate = (name: string, ...more: readonly string[]) => [
    "evaluate",
    "--data",
    "synthetic:4",
    ...compute,
    "--encoder",
    at(name),
    ...more,
  ];
  const write = (name: string, change: (model: OnnxModel) => OnnxModel): string => {
    writeFileSync(at(name), encodeModel(change(residualNetwork())).bytes);
    return name;
  };
  const graph = (change: (graph: OnnxModel["graph"]) => Partial<OnnxModel["graph"]>) => (model: OnnxModel) => ({
    ...model,
    graph: { ...model.graph, ...change(model.graph) },
  });
  const none = ["--normalization", "none"];
  await expectRefused(evaluate("net.onnx"), /how pixels are normalised/);
  await expectRefused(evaluate("net.onnx", ...none, "--image-size", "24"), /fixes images of 16 pixels/);
  await expectRefused(evaluate("net.onnx", ...none, "--output", "nothing"), /computes nothing called nothing/);
  writeFileSync(at("cut.onnx"), encodeModel(residualNetwork()).bytes.subarray(0, 3000));
  await expectRefused(evaluate("cut.onnx", ...none), /not a whole ONNX model/);
  const unknown = write(
    "unknown.onnx",
    graph(({ nodes }) => ({ nodes: nodes.map((node) => (node.op === "Add" ? { ...node, op: "Unheard" } : node)) })),
  );
  await expectRefused(evaluate(unknown, ...none), /Unheard/);
  const cyclic = write(
    "cyclic.onnx",
    graph(({ nodes }) => ({
      nodes: nodes.map((node) => (node.op === "MaxPool" ? { ...node, inputs: ["relu2"] } : node)),
    })),
  );
  await expectRefused(evaluate(cyclic, ...none), /The graph is cyclic: Add \/sum reads from MaxPool \/pool/);
  const bytes = write(
    "bytes.onnx",
    graph(({ inputs }) => ({ inputs: inputs.map((input) => ({ ...input, dtype: "uint8" as const })) })),
  );
  await expectRefused(evaluate(bytes, ...none), /uint8.*floating-point/);
  const wide = write(
    "wide.onnx",
    graph(({ inputs }) => ({ inputs: inputs.map((input) => ({ ...input, shape: ["n", 3, 16, 24] })) })),
  );
  await expectRefused(evaluate(wide, ...none), /24 x 16 pixels; only squares/);
  const two = write(
    "two.onnx",
    graph(() => ({
      outputs: [
        { name: "sum", dtype: "float32", shape: ["n"] },
        { name: "mean", dtype: "float32", shape: ["n"] },
      ],
    })),
  );
  await expectRefused(
    evaluate(two, ...none),
    /Which of its outputs is the embedding cannot be told: sum: float32\[n\]; mean: float32\[n\].*--output NAME/,
  );
  await expectRefused(
    ["train", "--encoder", at("net.onnx"), ...none, "--data", "synthetic:8", "--freeze", "*", "--out", at("never")],
    /None of its \d+ weights is left to train/,
  );
  saveEncoder(tinyEncoder(), at("tiny"));
  await expectRefused(evaluate("tiny", ...none), /normalization is for ONNX files/);
});

test("a file with functions of its own is saved with them written out, weights within them too", async () => {
  const { graph, ...rest } = residualNetwork();
  const nodes = graph.nodes.map((node) => (node.op === "Relu" ? { ...node, op: "Scaled", domain: "ours" } : node));
  const opsets = new Map([...rest.opsets, ["ours", 1] as const]);
  const plain = encodeModel({ ...rest, irVersion: 8, opsets, graph: { ...graph, nodes } }).bytes;
  const scales = new Float32Array(8).map((_, i) => 0.5 + i / 8);
  const value = tensorProto({ dims: [8n, 1n, 1n], dataType: 1, floatData: [...scales] });
  const held = attributeProto({ name: "value", type: AttributeType.tensor, t: value });
  const scaled = functionProto({
    ...{ name: "Scaled", domain: "ours", input: ["a"], output: ["b"], opsetImport: [{ domain: "", version: 13n }] },
    node: [
      nodeProto({ opType: "Constant", output: ["s"], attribute: [held] }),
      nodeProto({ opType: "Relu", input: ["a"], output: ["r"] }),
      nodeProto({ opType: "Mul", input: ["r", "s"], output: ["b"] }),
    ],
  });
  const bytes = writeMessage(ModelProto, { ...readMessage(ModelProto, plain), functions: [scaled] })
    .finish()
    .join();
  mkdirSync(at("functions"));
  writeFileSync(at("functions/net.onnx"), bytes);

  const options = { normalization: { mean: [0, 0, 0], std: [1, 1, 1] } } as const;
  const encoder = await loadEncoder(at("functions/net.onnx"), options);
  expect([...encoder.parameters.keys()].filter((name) => name.endsWith("/s"))).toHaveLength(2);
  saveEncoder(encoder, at("functions-saved"));
  const saved = await loadEncoder(at("functions-saved"), options);
  const pixels = randomImages(2, { size: 16 });
  const [before, after] = [await embedImages(encoder, pixels), await embedImages(saved, pixels)];
  expect(after).toEqual(before);
  const theirs = await embedding(at("functions/net.onnx"), "logits", "input", pixels, 16);
  const ours = await embedding(at("functions-saved/onnx/net.onnx"), "logits", "input", pixels, 16);
  for (const [i, logit] of theirs.entries()) expect(ours[i]).toBeCloseTo(logit, 5);
});
