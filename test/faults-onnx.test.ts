import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { importModel } from "../src/importing/import-model.ts";
import { decodeModel } from "../src/onnx/index.ts";
import { TensorProto } from "../src/onnx/proto.ts";
import { decodeTensor } from "../src/onnx/tensor-proto.ts";
import { readMessage } from "../src/onnx/wire.ts";
import { compile } from "../src/runtime/index.ts";
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
