import { OnnxError } from "./errors.ts";
import { type AttributeProto, attributeProto, type FunctionProto, type GraphProto, type NodeProto } from "./proto.ts";

/** Maximum number of nodes after inlining functions. Nested calls multiply with every level. */
const maxInlined = 65_536;

/**
 * A graph in which every call of a model's functions is inlined. Values within a call are named
 * behind it.
 *
 * @throws OnnxError when functions call each other in a circle, or come to too many nodes
 */
export function inlined(graph: GraphProto, functions: readonly FunctionProto[]): GraphProto {
  if (functions.length === 0) return graph;
  return new Inliner(graph, functions).graph(graph, []);
}

/** A name in a function's body, as the calling graph has it. */
type Rename = (name: string) => string;
type Given = ReadonlyMap<string, AttributeProto>;

const isStandard = (domain: string | undefined): boolean => !domain || domain === "ai.onnx";

const key = (domain: string | undefined, name: string | undefined, overload: string | undefined): string =>
  JSON.stringify([isStandard(domain) ? "" : domain, name ?? "", overload ?? ""]);

class Inliner {
  readonly #functions: ReadonlyMap<string, FunctionProto>;
  readonly #taken: Set<string>;
  #nodes = 0;

  constructor(graph: GraphProto, functions: readonly FunctionProto[]) {
    this.#functions = new Map(functions.map((one) => [key(one.domain, one.name, one.overload), one]));
    this.#taken = new Set(namesIn(graph));
  }

  /** @param calls the functions around it, the outermost first */
  graph(graph: GraphProto, calls: readonly FunctionProto[]): GraphProto {
    return { ...graph, node: graph.node.flatMap((node) => this.#node(node, calls)) };
  }

  #node(given: NodeProto, calls: readonly FunctionProto[]): readonly NodeProto[] {
    const attribute = given.attribute.map((one) => (one.g ? { ...one, g: this.graph(one.g, calls) } : one));
    const node = { ...given, attribute };
    const called = this.#functions.get(key(node.domain, node.opType, node.overload));
    if (!called) return [node];
    // ONNX leaves the choice to the runtime, and ONNX Runtime takes the operator.
    if (isStandard(called.domain))
      throw new OnnxError(`function ${called.name} is in the domain of the standard operators: give it one of its own`);
    if (calls.includes(called))
      throw new OnnxError(
        `function ${called.name} calls itself: ${[...calls, called].map(({ name }) => name).join(" > ")}`,
      );
    this.#nodes += called.node.length;
    if (this.#nodes > maxInlined)
      throw new OnnxError(`the model's functions come to more than ${maxInlined} nodes when they are written out`);
    const rename = this.#renaming(node, called);
    const defaults = called.attributeProto.map((one) => [one.name ?? "", one] as const);
    const values: Given = new Map([...defaults, ...attribute.map((one) => [one.name ?? "", one] as const)]);
    const body = called.node.map((one) => renamed(one, rename, values));
    return body.flatMap((one) => this.#node(one, [...calls, called]));
  }

  #renaming(node: NodeProto, called: FunctionProto): Rename {
    const names = new Map(called.input.map((name, i) => [name, node.input[i] ?? ""]));
    called.output.forEach((name, i) => {
      if (node.output[i]) names.set(name, node.output[i]);
    });
    const prefix = node.name || node.output.find((name) => name) || called.name || "";
    return (name) => {
      const known = name === "" ? "" : names.get(name);
      if (known !== undefined) return known;
      const fresh = this.#fresh(`${prefix}/${name}`);
      names.set(name, fresh);
      return fresh;
    };
  }

  #fresh(hint: string): string {
    let name = hint;
    for (let i = 1; this.#taken.has(name); i++) name = `${hint}_${i}`;
    this.#taken.add(name);
    return name;
  }
}

/** A node of a function's body in the calling graph: the values that it names, and the attributes that the call gives it. */
function renamed(node: NodeProto, rename: Rename, given: Given): NodeProto {
  return {
    ...node,
    input: node.input.map(rename),
    output: node.output.map(rename),
    name: node.name ? rename(node.name) : node.name,
    attribute: node.attribute.flatMap((one) => {
      const value = one.refAttrName ? given.get(one.refAttrName) : one;
      if (!value) return [];
      const own = one.refAttrName ? attributeProto({ ...value, name: one.name }) : value;
      return [!one.refAttrName && own.g ? { ...own, g: renamedGraph(own.g, rename, given) } : own];
    }),
  };
}

function renamedGraph(graph: GraphProto, rename: Rename, given: Given): GraphProto {
  const named = <T extends { name: string | undefined }>(one: T): T => ({ ...one, name: rename(one.name ?? "") });
  return {
    ...graph,
    node: graph.node.map((node) => renamed(node, rename, given)),
    initializer: graph.initializer.map(named),
    input: graph.input.map(named),
    output: graph.output.map(named),
    valueInfo: [],
  };
}

function namesIn({ node, initializer, input }: GraphProto): readonly string[] {
  return [
    ...[...initializer, ...input].map(({ name }) => name ?? ""),
    ...node.flatMap(({ name, output, attribute }) => [
      ...[name ?? "", ...output],
      ...attribute.flatMap(({ g }) => (g ? namesIn(g) : [])),
    ]),
  ];
}
