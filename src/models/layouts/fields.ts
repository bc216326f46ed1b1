import { UsageError } from "../../errors.ts";
import { allocate, describeType, elementCount, type Tensor } from "../../tensor/index.ts";

/**
 * How one of our tensors lies in a file. A layout is a list of fields, read in one direction to load and in the other
 * to save.
 */
export type Field =
  /** The same elements in the same order; `shape` is the file's, where it differs. */
  | { readonly kind: "same"; readonly ours: string; readonly theirs: string; readonly shape?: readonly number[] }
  /** A matrix that the file holds transposed. */
  | { readonly kind: "transposed"; readonly ours: string; readonly theirs: string }
  /** Several tensors of the file under each other, along axis 0. */
  | { readonly kind: "stacked"; readonly ours: string; readonly theirs: readonly string[] };

type Tensors = ReadonlyMap<string, Tensor>;

/** The fields of a layer that has a weight and a bias. */
export function weightAndBias(ours: string, theirs: string): readonly Field[] {
  return ["weight", "bias"].map((part) => ({ kind: "same", ours: `${ours}.${part}`, theirs: `${theirs}.${part}` }));
}

/**
 * @param shapes of our tensors, by our names
 * @throws UsageError naming the tensor that is missing or has another shape than the architecture needs
 */
export function readFields(
  fields: readonly Field[],
  tensors: Tensors,
  shapes: ReadonlyMap<string, readonly number[]>,
): Map<string, Tensor<"float32">> {
  return new Map(fields.map((field) => [field.ours, readField(field, tensors, shapes.get(field.ours)!)]));
}

function readField(field: Field, tensors: Tensors, shape: readonly number[]): Tensor<"float32"> {
  switch (field.kind) {
    case "same":
      return { ...float32(tensors, field.theirs, field.shape ?? shape), shape };
    case "transposed":
      return transpose(float32(tensors, field.theirs, [...shape].reverse()));
    case "stacked": {
      const part = [shape[0]! / field.theirs.length, ...shape.slice(1)];
      const data = allocate("float32", shape);
      for (const [i, name] of field.theirs.entries())
        data.set(float32(tensors, name, part).data, i * elementCount(part));
      return { dtype: "float32", shape, data };
    }
  }
}

type NamedTensor = readonly [name: string, tensor: Tensor<"float32">];

/** The tensors of a file. */
export function writeFields(
  fields: readonly Field[],
  parameters: ReadonlyMap<string, Tensor<"float32">>,
): readonly NamedTensor[] {
  return fields.flatMap((field) => writeField(field, parameters.get(field.ours)!));
}

function writeField(field: Field, tensor: Tensor<"float32">): readonly NamedTensor[] {
  switch (field.kind) {
    case "same":
      return [[field.theirs, { ...tensor, shape: field.shape ?? tensor.shape }]];
    case "transposed":
      return [[field.theirs, transpose(tensor)]];
    case "stacked": {
      const shape = [tensor.shape[0]! / field.theirs.length, ...tensor.shape.slice(1)];
      const length = elementCount(shape);
      return field.theirs.map((name, i) => [
        name,
        { dtype: "float32", shape, data: tensor.data.subarray(i * length, (i + 1) * length) },
      ]);
    }
  }
}

/** @throws UsageError when the file lacks the tensor, or it is of another type or another number of axes than `rank` */
export function floatOfRank(tensors: Tensors, name: string, rank?: number): Tensor<"float32"> {
  const found = present(tensors, name);
  if (found.dtype !== "float32") throw new UsageError(`The tensor ${name} is ${found.dtype}; float32 is needed.`);
  if (rank !== undefined && found.shape.length !== rank) {
    throw new UsageError(`The tensor ${name} is ${describeType(found.dtype, found.shape)}; rank ${rank} is needed.`);
  }
  return found as Tensor<"float32">;
}

/** One more than the largest number that follows `prefix` in the tensors' names. */
export function countAfter(tensors: Tensors, prefix: string): number {
  const numbers = [...tensors.keys()]
    .filter((name) => name.startsWith(prefix))
    .map((name) => name.slice(prefix.length));
  return 1 + Math.max(-1, ...numbers.map((rest) => Number(/^(\d+)\./.exec(rest)?.[1] ?? -1)));
}

/** @throws UsageError naming a tensor of the file that no field reads: the architecture has more than ours */
export function refuseOthers(
  tensors: Tensors,
  fields: readonly Field[],
  { ignored, known }: { readonly ignored: readonly string[]; readonly known: string },
): void {
  const read = new Set([...ignored, ...fields.flatMap(({ theirs }) => theirs)]);
  const other = [...tensors.keys()].find((name) => !read.has(name));
  if (other !== undefined) throw new UsageError(`The tensor ${other} belongs to no ${known} that this loader knows.`);
}

/** @throws UsageError when the file lacks the tensor, or it is of another type or shape */
export function float32(tensors: Tensors, name: string, shape: readonly number[]): Tensor<"float32"> {
  const found = present(tensors, name);
  if (found.dtype !== "float32" || found.shape.join() !== shape.join()) {
    const [got, wanted] = [describeType(found.dtype, found.shape), describeType("float32", shape)];
    throw new UsageError(`The tensor ${name} is ${got}, but this architecture needs ${wanted}.`);
  }
  return found as Tensor<"float32">;
}

function present(tensors: Tensors, name: string): Tensor {
  const found = tensors.get(name);
  if (found) return found;
  throw new UsageError(`The tensor ${name} is missing.`);
}

function transpose({ shape, data }: Tensor<"float32">): Tensor<"float32"> {
  const [rows, columns] = shape as readonly [number, number];
  const out = new Float32Array(data.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) out[column * rows + row] = data[row * columns + column]!;
  }
  return { dtype: "float32", shape: [columns, rows], data: out };
}
