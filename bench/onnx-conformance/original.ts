/** ONNX Runtime's own result for a case: a process of its own, which a model may end. */
import { InferenceSession } from "onnxruntime-node";
import { modelBytes, testDataOf } from "./cases.ts";
import { difference } from "./compare.ts";
import { ortTensor, type Sample } from "./samples.ts";
import type { Question, Verdict } from "./verdict.ts";

async function judged({ folder }: Question): Promise<Verdict> {
  const of = { name: folder, folder };
  let session: InferenceSession | undefined;
  try {
    const { inputs, outputs } = testDataOf(of);
    session = await InferenceSession.create(modelBytes(of), { intraOpNumThreads: 1, logSeverityLevel: 4 });
    const feeds = Object.fromEntries(inputs.map(([name, sample]) => [name, ortTensor(sample)]));
    const results = await session.run(feeds);
    for (const [name, wanted] of outputs) {
      const { type, dims, data } = results[name]!;
      const detail = difference(name, { type, shape: dims, data } as Sample, wanted);
      if (detail) return { kind: "wrong", detail };
    }
    return { kind: "passed", known: "nothing", slopes: { kind: "none" } };
  } catch (error) {
    return { kind: "refused", reason: error instanceof Error ? error.message : String(error) };
  } finally {
    await session?.release();
  }
}

process.on("message", async (question: Question) => process.send!(await judged(question)));
