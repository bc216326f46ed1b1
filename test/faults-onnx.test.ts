import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { gradients } from "../src/autodiff/index.ts";
import { importModel } from "../src/importing/import-model.ts";
import { decodeModel } from "../src/onnx/index.ts";
import { TensorProto } from "../src/onnx/proto.ts";
import { decodeTensor } from "../src/onnx/tensor-proto.ts";
import { readMessage } from "../src/onnx/wire.ts";
import { randomStream } from "../src/random.ts";
import { compile } from "../src/runtime/index.ts";
import { f32, inOnnxRuntime } from "../src/testing/small-model.ts";
import { describeWithData, sharedData } from "./shared.ts";

const faults = join(sharedData, "faults");
const bytesOf = (...path: readonly string[]): Uint8Array => new Uint8Array(readFileSync(join(faults, ...path)));
const tensorOf = (...path: readonly string[]) =>
  decodeTensor(readMessage(TensorProto, bytesOf(...path)), path.join("/"), undefined);

describeWithData("statically quantised files whose quantiser left out Relu", () => {
  test.each(["relu_qdq_u8s8", "relu_qop_u8s8"])("%s saturates where ONNX Runtime does", async (name) => {
    const model = decodeModel(bytesOf("quantized", name, "model.onnx"));
    const data = ["quantized", name, "test_data_set_0"];
    const [x, wanted] = [tensorOf(...data, "input_0.pb"), tensorOf(...data, "output_0.pb")];
    const { inputs, outputs } = importModel(model, {
      sizes: { batch: x.shape[0]!, N: x.shape[0]!, n: x.shape[0]! },
    });
    const program = await compile(Object.fromEntries([...outputs.values()].map((value, i) => [`y${i}`, value])));
    const [input] = inputs.keys();
    const { y0: got } = await program.run({ [input!]: x.data });
    await program.dispose();
    const values = Array.from(wanted.data as Float32Array);
    // The last scale is the smallest step between values that were rounded to 8 bits.
    const sorted = values.toSorted((p, q) => p - q);
    const steps = sorted.slice(1).map((value, i) => value - sorted[i]!);
    const scale = Math.min(...steps.filter((step) => step > 1e-6));
    expect(got!.length).toBe(values.length);
    for (const [i, value] of values.entries()) expect(Math.abs(Number(got![i]) - value)).toBeLessThanOrEqual(2 * scale);
  });
});

describeWithData("files that were refused, broken or wrong", () => {
  test.each([
    ["ceil-pool/ceilpool_k1s2", 3],
    ["dropout-mask/dropout_mask", 3],
    ["batch-norm-training/bn_train", 3],
    // Its graph takes one image.
    ["batch-in-graph/b_sym_hard1x16", 1],
  ])("%s gives what ONNX Runtime does, and derivatives", async (name, images) => {
    const model = decodeModel(bytesOf(`${name}.onnx`));
    const { uniform } = randomStream(name);
    const x = f32(Array.from({ length: images * 3 * 32 * 32 }, uniform), [images, 3, 32, 32]);
    const [{ logits }, imported] = [
      await inOnnxRuntime(model, { x }),
      importModel(model, { sizes: { batch: images } }),
    ];
    const [input, y] = [imported.inputs.get("x")!, imported.outputs.get("logits")!];
    const { graph: g } = imported;
    const [dx] = gradients(g.reduceSum(g.mul(y, y)), [input]);
    const program = await compile({ y, dx });
    const result = await program.run({ x: x.data });
    await program.dispose();
    // float32 through three layers, in another order.
    const tolerance = 1e-5 * Math.max(...logits!.map(Math.abs));
    for (const [i, value] of logits!.entries()) expect(Math.abs(Number(result.y[i]) - value)).toBeLessThan(tolerance);
    expect([...result.dx].every((value) => Number.isFinite(Number(value)))).toBe(true);
    expect([...result.dx].some((value) => value !== 0)).toBe(true);
  });
});
