import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { expect, test } from "vitest";
import { writeAtomically } from "../../files.ts";
import { randomImages, tinyEncoder } from "../../testing/tiny.ts";
import { encoderModel } from "./encoder-model.ts";
import { onnxFiles } from "./onnx-files.ts";

test("weights that do not fit into the ONNX file lie beside it, where ONNX Runtime finds them", async () => {
  const model = encoderModel(tinyEncoder());
  const whole = [...onnxFiles("onnx/model.onnx", model)];
  const parts = [...onnxFiles("onnx/model.onnx", model, 10_000)];
  expect(whole.map(([path]) => path)).toEqual(["onnx/model.onnx"]);
  expect(parts.map(([path]) => path)).toEqual(["onnx/model.onnx", "onnx/model.onnx_data"]);

  const folders = [whole, parts].map((files) => {
    const folder = mkdtempSync(join(tmpdir(), "lore-onnx-files-"));
    for (const [path, content] of files) writeAtomically(join(folder, path), content);
    return folder;
  });
  const pixels = new Tensor("float32", randomImages(2), [2, 3, 8, 8]);
  const results = [];
  for (const folder of folders) {
    const session = await InferenceSession.create(join(folder, "onnx/model.onnx"), { intraOpNumThreads: 1 });
    results.push((await session.run({ pixel_values: pixels })).embedding!.data);
    await session.release();
    rmSync(folder, { recursive: true });
  }
  expect(results[1]).toEqual(results[0]);
});
