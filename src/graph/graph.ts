import { defined } from "../defined.ts";
import { scalarTensor } from "../onnx/index.ts";
import { type DType, elementCount, type Tensor } from "../tensor/index.ts";
import { GraphError, Mismatch } from "./errors.ts";
import { operators } from "./operators/index.ts";
import { axisIn, range, sameShape } from "./shapes.ts";
import { type Attributes, type Node, nodeOf, type Origin, Value, type ValueType } from "./value.ts";

/** A graph value, or a number that becomes a scalar constant of the other operand's element type. */
export type Operand = Value | number;

export interface ReduceOptions {
  /** Axes to reduce; all of them when left out. Negative axes count from the end. */
  readonly axes?: readonly number[];
  /** Keep reduced axes with size 1. Default false, as in NumPy (ONNX's own default is true). */
  readonly keepDims?: boolean;
}

export interface ConvOptions {
  readonly strides?: readonly number[];
  /** Begins of every spatial axis, then ends. */
  readonly pads?: readonly number[];
  readonly dilations?: readonly number[];
  readonly group?: number;
}

export interface GemmOptions {
  readonly alpha?: number;
  readonly beta?: number;
  readonly transA?: boolean;
  readonly transB?: boolean;
}

export interface SliceOptions {
  readonly starts: readonly number[];
  readonly ends: readonly number[];
  readonly axes?: readonly number[];
  readonly steps?: readonly number[];
}

/**
 * A computation of standard ONNX operators on tensors of static shape. Builders infer the result's type and check the
 * operands. A mismatch throws a `GraphError` naming the operator, its inputs and their shapes.
 *
 * Equal applications (same operator, inputs and attributes) are one node. Derivative rules can therefore be written as in
 * a calculus book and still share common terms with each other and with the forward pass.
 */
export class Graph {
  readonly #inputs: Value[] = [];
  readonly #names = new Set<string>();
  readonly #made = new Map<string, Node>();
  readonly #tensorIds = new WeakMap<ArrayBufferView, Map<string, Value>>();
  readonly #scalars = new Map<string, Value>();
  #count = 0;

  /** The values fed at run time, in the order they were declared. */
  get inputs(): readonly Value[] {
    return this.#inputs;
  }

  /** Declares a value that is fed at run time. Names are unique within the graph. */
  input(name: string, dtype: DType, shape: readonly number[]): Value {
    if (this.#names.has(name)) throw new GraphError(`The graph already has an input called ${name}.`);
    if (shape.some((size) => !Number.isInteger(size) || size < 0)) {
      throw new GraphError(`Input ${name}: shape [${shape}] must hold non-negative integers.`);
    }
    this.#names.add(name);
    const value = this.#value(name, { dtype, shape }, { kind: "input" });
    this.#inputs.push(value);
    return value;
  }

  /** A tensor whose elements are known now; it becomes an ONNX initializer. The elements are not copied. */
  constant(tensor: Tensor): Value {
    if (tensor.data.length !== elementCount(tensor.shape)) {
      throw new GraphError(
        `A constant of shape [${tensor.shape}] needs ${elementCount(tensor.shape)} elements, got ${tensor.data.length}.`,
      );
    }
    const type = `${tensor.dtype}[${tensor.shape}]`;
    const known = this.#tensorIds.get(tensor.data) ?? new Map<string, Value>();
    this.#tensorIds.set(tensor.data, known);
    const value = known.get(type) ?? this.#value(`c${this.#count}`, tensor, { kind: "constant", tensor });
    known.set(type, value);
    return value;
  }

  /** A constant of rank 0. */
  scalar(number: number, dtype: DType = "float32"): Value {
    const key = `${dtype} ${Object.is(number, -0) ? "-0" : number}`;
    let value = this.#scalars.get(key);
    if (value === undefined) {
      value = this.constant(scalarTensor(dtype, number));
      this.#scalars.set(key, value);
    }
    return value;
  }

  /** A 1-D int64 constant. */
  indices(values: readonly number[]): Value {
    return this.constant({ dtype: "int64", shape: [values.length], data: BigInt64Array.from(values, BigInt) });
  }

  zeros(dtype: DType, shape: readonly number[]): Value {
    return this.expand(this.scalar(0, dtype), shape);
  }

  /**
   * Applies an ONNX operator by name, with attributes in canonical form (see `operators.ts`). Importers use this; the typed
   * builders below are more readable.
   */
  apply(op: string, inputs: readonly Value[], attributes: Attributes = {}): readonly Value[] {
    const operator = operators[op];
    if (!operator) throw new GraphError(`Unknown operator ${op}(${inputs.join(", ")}).`);
    const stranger = inputs.find((value) => value.graph !== this);
    if (stranger) throw new GraphError(`${op}: input ${stranger} belongs to another graph.`);
    try {
      const complete = operator.complete?.(attributes, inputs) ?? attributes;
      return this.#node(op, inputs, complete, () => operator.infer(inputs, complete)).outputs;
    } catch (error) {
      if (!(error instanceof Mismatch)) throw error;
      throw new GraphError(`${op}(${inputs.join(", ")}): ${error.message}.`, { cause: error });
    }
  }

  #node(op: string, inputs: readonly Value[], attributes: Attributes, infer: () => readonly ValueType[]): Node {
    const sorted = Object.entries(attributes).sort(([p], [q]) => (p < q ? -1 : 1));
    const key = `${op}(${inputs.map((value) => value.id)})${JSON.stringify(sorted, infinities)}`;
    const known = this.#made.get(key);
    if (known) return known;
    const types = infer();
    const outputs: Value[] = [];
    const node: Node = { id: this.#count++, op, inputs, attributes, outputs };
    for (const type of types) outputs.push(this.#value(`${op}_${this.#count}`, type, { kind: "node", node }));
    this.#made.set(key, node);
    return node;
  }

  #value(name: string, type: ValueType, origin: Origin): Value {
    return new Value(this, this.#count++, name, { dtype: type.dtype, shape: type.shape }, origin);
  }

  #unary(op: string, x: Value, attributes?: Attributes): Value {
    return this.apply(op, [x], attributes)[0]!;
  }

  #elementwise(op: string, operands: readonly Operand[]): Value {
    const dtype = operands.find((operand) => typeof operand !== "number")?.dtype;
    if (dtype === undefined) throw new GraphError(`${op}: at least one operand must be a value of the graph.`);
    return this.apply(
      op,
      operands.map((x) => (typeof x === "number" ? this.scalar(x, dtype) : x)),
    )[0]!;
  }

  #reduce(op: string, x: Value, { axes, keepDims = false }: ReduceOptions): Value {
    return this.#unary(op, x, { ...defined({ axes }), keepdims: keepDims ? 1 : 0 });
  }

  // Element-wise arithmetic, broadcasting as in NumPy
  add = (a: Operand, b: Operand): Value => this.#elementwise("Add", [a, b]);
  sub = (a: Operand, b: Operand): Value => this.#elementwise("Sub", [a, b]);
  mul = (a: Operand, b: Operand): Value => this.#elementwise("Mul", [a, b]);
  div = (a: Operand, b: Operand): Value => this.#elementwise("Div", [a, b]);
  pow = (a: Operand, b: Operand): Value => this.#elementwise("Pow", [a, b]);
  min = (...operands: readonly Operand[]): Value => this.#elementwise("Min", operands);
  max = (...operands: readonly Operand[]): Value => this.#elementwise("Max", operands);
  neg = (x: Value): Value => this.#unary("Neg", x);
  abs = (x: Value): Value => this.#unary("Abs", x);
  sign = (x: Value): Value => this.#unary("Sign", x);
  floor = (x: Value): Value => this.#unary("Floor", x);
  sqrt = (x: Value): Value => this.#unary("Sqrt", x);
  reciprocal = (x: Value): Value => this.#unary("Reciprocal", x);
  exp = (x: Value): Value => this.#unary("Exp", x);
  log = (x: Value): Value => this.#unary("Log", x);
  clip = (x: Value, min: number, max: number): Value => this.#unary("Clip", x, { min, max });

  // Activations
  relu = (x: Value): Value => this.#unary("Relu", x);
  sigmoid = (x: Value): Value => this.#unary("Sigmoid", x);
  tanh = (x: Value): Value => this.#unary("Tanh", x);
  softplus = (x: Value): Value => this.#unary("Softplus", x);
  erf = (x: Value): Value => this.#unary("Erf", x);
  gelu = (x: Value, approximate: "none" | "tanh" = "none"): Value => this.#unary("Gelu", x, { approximate });
  /** x sigmoid(alpha x): SiLU, and with alpha 1.702 OpenAI's approximation of GELU. */
  swish = (x: Value, alpha = 1): Value => this.#unary("Swish", x, { alpha });
  softmax = (x: Value, axis = -1): Value => this.#unary("Softmax", x, { axis });
  logSoftmax = (x: Value, axis = -1): Value => this.#unary("LogSoftmax", x, { axis });

  // Comparison and selection
  equal = (a: Operand, b: Operand): Value => this.#elementwise("Equal", [a, b]);
  greater = (a: Operand, b: Operand): Value => this.#elementwise("Greater", [a, b]);
  greaterOrEqual = (a: Operand, b: Operand): Value => this.#elementwise("GreaterOrEqual", [a, b]);
  lessOrEqual = (a: Operand, b: Operand): Value => this.#elementwise("LessOrEqual", [a, b]);
  and = (a: Value, b: Value): Value => this.apply("And", [a, b])[0]!;
  not = (a: Value): Value => this.apply("Not", [a])[0]!;
  where(condition: Value, a: Operand, b: Operand): Value {
    const dtype = typeof a !== "number" ? a.dtype : typeof b !== "number" ? b.dtype : "float32";
    const [x, y] = [a, b].map((operand) => (typeof operand === "number" ? this.scalar(operand, dtype) : operand));
    return this.apply("Where", [condition, x!, y!])[0]!;
  }

  // Products
  matMul = (a: Value, b: Value): Value => this.apply("MatMul", [a, b])[0]!;
  /** `alpha * op(a) op(b) + beta * c` on matrices. */
  gemm(
    a: Value,
    b: Value,
    c?: Value,
    { alpha = 1, beta = 1, transA = false, transB = false }: GemmOptions = {},
  ): Value {
    const attributes = { alpha, beta, transA: transA ? 1 : 0, transB: transB ? 1 : 0 };
    return this.apply("Gemm", c ? [a, b, c] : [a, b], attributes)[0]!;
  }
  /** Image [N, C, ...spatial], weight [out, C / group, ...kernel], bias [out]. */
  conv(image: Value, weight: Value, bias?: Value, options: ConvOptions = {}): Value {
    return this.apply("Conv", bias ? [image, weight, bias] : [image, weight], { ...options })[0]!;
  }

  // Reductions and normalisation
  reduceSum = (x: Value, options: ReduceOptions = {}): Value => this.#reduce("ReduceSum", x, options);
  reduceMean = (x: Value, options: ReduceOptions = {}): Value => this.#reduce("ReduceMean", x, options);
  reduceMax = (x: Value, options: ReduceOptions = {}): Value => this.#reduce("ReduceMax", x, options);
  reduceMin = (x: Value, options: ReduceOptions = {}): Value => this.#reduce("ReduceMin", x, options);
  reduceL2 = (x: Value, options: ReduceOptions = {}): Value => this.#reduce("ReduceL2", x, options);
  /** The k largest along an axis in descending order, and their indices (int64). */
  topK = (x: Value, k: number, axis = -1): readonly [values: Value, indices: Value] => {
    const [values, indices] = this.apply("TopK", [x], { k, axis });
    return [values!, indices!];
  };
  /** Index of the largest element, int64; the first if several are equal. */
  argMax = (x: Value, axis = -1): Value => this.#unary("ArgMax", x, { axis, keepdims: 0 });
  /** Normalises over the last axes from `axis` on, then scales and shifts. */
  layerNormalization(x: Value, scale: Value, bias?: Value, { axis = -1, epsilon = 1e-5 } = {}): Value {
    return this.apply("LayerNormalization", bias ? [x, scale, bias] : [x, scale], { axis, epsilon })[0]!;
  }

  // Shape
  identity = (x: Value): Value => this.#unary("Identity", x);
  cast = (x: Value, to: DType): Value => (x.dtype === to ? x : this.#unary("Cast", x, { to }));
  /** The same elements in another shape; -1 is inferred. Consecutive reshapes are merged. */
  reshape(x: Value, shape: readonly number[]): Value {
    const whole = nodeOf(x, "Reshape")?.inputs[0] ?? x;
    // A 0 stands for the size of the axis of what is reshaped.
    const y = this.#unary("Reshape", shape.includes(0) ? x : whole, { shape });
    return sameShape(whole.shape, y.shape) ? whole : y;
  }
  flatten = (x: Value, axis = 1): Value => this.#unary("Flatten", x, { axis });
  squeeze = (x: Value, axes: readonly number[]): Value => this.#unary("Squeeze", x, { axes });
  unsqueeze = (x: Value, axes: readonly number[]): Value => this.#unary("Unsqueeze", x, { axes });
  expand = (x: Value, shape: readonly number[]): Value => this.#unary("Expand", x, { shape });
  slice = (x: Value, options: SliceOptions): Value => this.#unary("Slice", x, { ...options });
  pad = (x: Value, pads: readonly number[], value = 0): Value => this.#unary("Pad", x, { pads, value });
  concat = (values: readonly Value[], axis: number): Value => this.apply("Concat", values, { axis })[0]!;
  split = (x: Value, sizes: readonly number[], axis = 0): readonly Value[] =>
    this.apply("Split", [x], { split: sizes, axis });
  gather = (x: Value, indices: Value, axis = 0): Value => this.apply("Gather", [x, indices], { axis })[0]!;
  /** Permutes the axes; reverses them when no permutation is given. */
  transpose = (x: Value, perm: readonly number[] = [...range(x.rank)].reverse()): Value =>
    this.#unary("Transpose", x, { perm });
  /** The matrix transpose of the last two axes. */
  swap = (x: Value, a = -1, b = -2): Value => {
    const perm = [...range(x.rank)];
    const [p, q] = [axisIn(a, x.rank), axisIn(b, x.rank)];
    [perm[p], perm[q]] = [q, p];
    return this.transpose(x, perm);
  };
}

/** JSON has no infinities: as null, padding with one and with the other would be the same application. */
const infinities = (_: string, value: unknown): unknown =>
  typeof value === "number" && !Number.isFinite(value) ? String(value) : value;
