/** This project's result for a case: a process of its own, which a model may end. */
import { LoreError } from "../../src/errors.ts";
import { decodeModel, type OnnxModel } from "../../src/onnx/index.ts";
import { RuntimeError } from "../../src/runtime/index.ts";
import { modelBytes, type TestData, testDataOf } from "./cases.ts";
import { difference } from "./compare.ts";
import { computed, withSamples } from "./computed.ts";
import { slopesOf } from "./slopes.ts";
import type { Known, Question, Slopes, Verdict } from "./verdict.ts";

/** From a file that holds nothing on: operands that must be known stand among the inputs of these tests. */
const attempts: readonly Known[] = ["nothing", "integers", "all but the first", "everything"];

async function judged({ folder, slopes }: Question): Promise<Verdict> {
  try {
    const of = { name: folder, folder };
    const data = testDataOf(of);
    const model = decodeModel(modelBytes(of));
    let verdict: Verdict = { kind: "refused", reason: "no attempt" };
    for (const known of attempts) {
      const held = withSamples(model, data.inputs, known);
      verdict = await compared(held, data, known);
      if (verdict.kind === "passed") return slopes ? { ...verdict, slopes: await differentiated(held, data) } : verdict;
      if (verdict.kind !== "refused") return verdict;
    }
    return verdict;
  } catch (error) {
    return failure(error);
  }
}

async function compared(model: OnnxModel, data: TestData, known: Known): Promise<Verdict> {
  try {
    const results = await computed(model, data);
    for (const [name, wanted] of data.outputs) {
      const detail = difference(name, results.get(name)!, wanted);
      if (detail) return { kind: "wrong", detail };
    }
    return { kind: "passed", known, slopes: { kind: "none" } };
  } catch (error) {
    return failure(error);
  }
}

async function differentiated(model: OnnxModel, data: TestData): Promise<Slopes> {
  try {
    return await slopesOf(model, data);
  } catch (error) {
    const verdict = failure(error);
    return verdict.kind === "refused"
      ? { kind: "refused", detail: verdict.reason }
      : { kind: "crashed", detail: verdict.detail };
  }
}

/** Errors of this project are refusals; so is a graph for which ONNX Runtime has no kernel, but not one that it finds invalid. */
function failure(error: unknown): { kind: "refused"; reason: string } | { kind: "crashed"; detail: string } {
  const message = error instanceof Error ? error.message : String(error);
  const noKernel = /NOT_IMPLEMENTED|Could not find an implementation/i.test(message);
  if (error instanceof LoreError && (noKernel || !(error instanceof RuntimeError)))
    return { kind: "refused", reason: message };
  const name = error instanceof Error && error.name !== "Error" ? `${error.name}: ` : "";
  return { kind: "crashed", detail: `${name}${message}` };
}

process.on("message", async (question: Question) => process.send!(await judged(question)));
