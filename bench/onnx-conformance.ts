/**
 * The ONNX project's own node tests, imported and run here: how many pass, are refused (and why), come out wrong or crash,
 * beside what ONNX Runtime makes of the same files; and derivatives of those that pass beside central differences.
 *
 *     git clone https://github.com/onnx/onnx
 *     git -C onnx archive v1.20.1 onnx/backend/test/data/node | tar x -C tests
 *     npx tsx bench/onnx-conformance.ts tests
 */
import { Command } from "commander";
import { parseCount } from "../src/cli/parsers.ts";
import { main } from "./main.ts";
import { factsOf, findCases } from "./onnx-conformance/cases.ts";
import { isListed } from "./onnx-conformance/listed.ts";
import { askAll } from "./onnx-conformance/pool.ts";
import { type Judged, report } from "./onnx-conformance/tables.ts";

interface Flags {
  readonly only?: string;
  readonly gradients: boolean;
  readonly jobs: number;
  readonly json: boolean;
}

const command = new Command("onnx-conformance")
  .description("ONNX's node tests, here and in ONNX Runtime itself")
  .argument("<folder>", "holds test folders at any depth; each different model is judged once")
  .option("--only <pattern>", "folders whose path matches this regular expression")
  .option("--no-gradients", "do not look at derivatives")
  .option("--jobs <n>", "models at a time", parseCount, 2)
  .option("--json", "every model's verdict instead of tables", false)
  .action(run);

async function run(folder: string, { only, gradients, jobs, json }: Flags): Promise<void> {
  const pattern = new RegExp(only ?? "");
  const cases = findCases(folder).filter(({ name }) => pattern.test(name));
  const questions = cases.map(({ folder }) => ({ folder, slopes: gradients }));
  const progress = counter(2 * cases.length);
  const original = await askAll("original", questions, jobs, progress);
  const ours = await askAll("ours", questions, jobs, progress);
  const judged = cases.map((of, i): Judged => {
    const facts = factsOf(of);
    return { of, facts, isListed: facts.operators.every(isListed), ours: ours[i]!, original: original[i]! };
  });
  process.stdout.write(json ? `${JSON.stringify(judged, null, 1)}\n` : report(judged));
}

function counter(total: number): () => void {
  let done = 0;
  return () => {
    done++;
    if (done % 200 === 0 || done === total) process.stderr.write(`${done} of ${total}\n`);
  };
}

await main(command);
