import type { OnnxModel } from "../../onnx/index.ts";
import { renamed } from "../../onnx/index.ts";

/**
 * Two models as one: `link`, an input of the second, is what the first makes under the name `output`. The inputs are
 * those of both, by their names; the outputs are the second's. The first's nodes stay as they are but for their names,
 * and so do its opsets, in which the second's nodes must mean the same.
 */
export function chained(first: OnnxModel, output: string, second: OnnxModel, link: string): OnnxModel {
  // Old files list their initializers among the inputs.
  const inputs = first.graph.inputs.filter(({ name }) => !first.graph.initializers.has(name));
  const kept = new Map([...inputs.map(({ name }) => [name, name] as const), [output, link]]);
  const head = renamed(first.graph, (name) => kept.get(name) ?? `first/${name}`);
  const { graph } = second;
  return {
    ...second,
    irVersion: Math.max(first.irVersion, second.irVersion),
    opsets: first.opsets,
    graph: {
      ...graph,
      inputs: [...inputs, ...graph.inputs.filter(({ name }) => name !== link)],
      nodes: [...head.nodes, ...graph.nodes],
      initializers: new Map([...head.initializers, ...graph.initializers]),
    },
  };
}
