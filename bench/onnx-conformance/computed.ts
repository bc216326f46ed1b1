import { importModel } from "../../src/importing/import-model.ts";
import type { OnnxModel, ValueInfo } from "../../src/onnx/index.ts";
import { compile } from "../../src/runtime/index.ts";
import { isDType } from "../../src/tensor/dtype.ts";
import type { Tensor } from "../../src/tensor/index.ts";
import { allocate, type DType } from "../../src/tensor/tensor.ts";
import type { TestData } from "./cases.ts";
import { numbersOf, type Sample } from "./samples.ts";
import type { Known } from "./verdict.ts";

/** A model whose inputs have the shapes of the test's, and which holds some of them. */
export function withSamples(model: OnnxModel, inputs: TestData["inputs"], known: Known): OnnxModel {
  const { graph } = model;
  const samples = new Map(inputs);
  const isHeld: Readonly<Record<Known, (type: string, place: number) => boolean>> = {
    nothing: () => false,
    integers: (type) => !type.startsWith("float"),
    "all but the first": (_, place) => place > 0,
    everything: () => true,
  };
  const held = inputs.filter(([, { type }], i) => isDType(type) && isHeld[known](type, i));
  const names = new Set(held.map(([name]) => name));
  const shaped = ({ name, dtype, ...rest }: ValueInfo): ValueInfo =>
    samples.has(name) ? { name, dtype, shape: samples.get(name)!.shape } : { name, dtype, ...rest };
  return {
    ...model,
    graph: {
      ...graph,
      inputs: graph.inputs.filter(({ name }) => !names.has(name)).map(shaped),
      initializers: new Map([
        ...graph.initializers,
        ...held.map(([name, sample]) => [name, heldTensor(sample)] as const),
      ]),
    },
  };
}

const heldTensor = ({ type, shape, data }: Sample): Tensor => ({ dtype: type, shape, data }) as Tensor;

/** The outputs of a model by name, after import and compilation. */
export async function computed(model: OnnxModel, { inputs, outputs }: TestData): Promise<ReadonlyMap<string, Sample>> {
  const imported = importModel(model, { outputs: outputs.map(([name]) => name) });
  // ONNX allows names in outputs that are no plain words to JavaScript; and an output may be an input.
  const values = [...imported.outputs.values()];
  const program = await compile(Object.fromEntries(values.map((value, i) => [`result ${i}`, value])), { threads: 1 });
  const samples = new Map(inputs);
  const feeds = Object.fromEntries(
    [...imported.inputs].map(([name, { dtype }]) => [name, arrayOf(samples.get(name)!, dtype)]),
  );
  try {
    const results = await program.runFresh(feeds);
    return new Map(
      [...imported.outputs].map(([name, { dtype, shape }], i) => [
        name,
        { type: dtype, shape, data: results[`result ${i}`]! } as Sample,
      ]),
    );
  } finally {
    await program.dispose();
  }
}

/** A test's tensor in the element type that the importer gave its input. */
export function arrayOf(sample: Sample, dtype: DType) {
  if (sample.type === dtype) return sample.data as ReturnType<typeof allocate>;
  const array = allocate(dtype, sample.shape);
  for (const [i, value] of numbersOf(sample).entries()) {
    if (array instanceof BigInt64Array) array[i] = BigInt(value);
    else array[i] = value;
  }
  return array;
}
