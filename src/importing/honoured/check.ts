import { GraphError } from "../../graph/index.ts";
import type { OnnxAttribute, OnnxNode } from "../../onnx/index.ts";
import { describe } from "../describe.ts";
import { rows } from "./index.ts";
import { attributesIn, type Place, placesOf, type Row, words } from "./row.ts";

/** `Op`, or `domain:Op`: what tables of operators call one. */
export const operatorName = ({ op, domain }: Pick<OnnxNode, "op" | "domain">): string =>
  domain === "" || domain === "ai.onnx" ? op : `${domain}:${op}`;

/**
 * Refuses what a file says of an operator and nothing here reads: an operator without a row, an attribute, an input or an
 * output that its row does not promise.
 *
 * @param isRead whether anybody reads a value of this name
 * @param opset of the standard operators
 * @throws GraphError naming the node and what is not honoured
 */
export function checkHonoured(node: OnnxNode, isRead: (name: string) => boolean, opset: number): void {
  const name = operatorName(node);
  const row = Object.hasOwn(rows, name) ? rows[name] : undefined;
  if (!row) throw new GraphError(`${describe(node)}: the operator ${name} is not supported (${listed}).`);
  for (const [attribute, value] of Object.entries(node.attributes)) {
    if (!honours(row, attribute, value) && !(opset < 7 && honouredBefore7(row, attribute)))
      throw new GraphError(`${describe(node)}: attribute ${attribute}${shown(value)} is not supported (${listed}).`);
  }
  const input = refusedPlace(node.inputs, row.inputs, (value) => value !== "");
  if (input) throw new GraphError(`${describe(node)}: input ${input} is not supported (${listed}).`);
  const missing = placesOf(row.inputs).findIndex(({ isOptional }, i) => !isOptional && !node.inputs[i]);
  if (missing >= 0)
    throw new GraphError(`${describe(node)}: input ${missing} (${placesOf(row.inputs)[missing]!.name}) is left out.`);
  const needed = [...attributesIn(row.attributes)].find(([name, isNeeded]) => isNeeded && !node.attributes[name]);
  if (needed) throw new GraphError(`${describe(node)}: attribute ${needed[0]} is left out.`);
  const isOutputRead = (value: string): boolean => value !== "" && isRead(value);
  const output =
    refusedPlace(node.outputs, row.outputs ?? "output", isOutputRead) ?? oldOutput(node, row, isOutputRead, opset);
  if (output) throw new GraphError(`${describe(node)}: output ${output} is not supported (${listed}).`);
}

const listed = "docs/OPERATORS.md lists what is";

function honours({ attributes, only, ignored }: Row, name: string, { value }: OnnxAttribute): boolean {
  if (attributesIn(attributes).has(name) || (ignored && Object.hasOwn(ignored, name))) return true;
  const values = only && Object.hasOwn(only, name) ? only[name] : undefined;
  return values?.some((honoured) => honoured === value) ?? false;
}

/** `consumed_inputs` was a hint about memory that any operator could have. */
const honouredBefore7 = ({ before7 }: Row, name: string): boolean =>
  name === "consumed_inputs" || words(before7).includes(name);

function shown({ value }: OnnxAttribute): string {
  return typeof value === "number" || typeof value === "string" ? ` = ${value}` : "";
}

/** `4 (key_padding_mask)`: the first input or output that is given and not honoured. */
function refusedPlace(given: readonly string[], names: string, counts: (value: string) => boolean): string | undefined {
  const places = placesOf(names);
  const at = given.findIndex((value, i) => counts(value) && !placeAt(places, i)?.isHonoured);
  if (at < 0) return undefined;
  const name = placeAt(places, at)?.name;
  return `${at}${name ? ` (${name})` : ""}`;
}

/** `1 (mask, before opset 12)` */
function oldOutput(
  { outputs }: OnnxNode,
  { outputs: names = "output", outputsSince = {} }: Row,
  counts: (value: string) => boolean,
  opset: number,
): string | undefined {
  const sinceOf = (i: number): number => outputsSince[placesOf(names)[i]?.name ?? ""] ?? 0;
  const at = outputs.findIndex((value, i) => counts(value) && opset < sinceOf(i));
  return at < 0 ? undefined : `${at} (${placesOf(names)[at]!.name}, before opset ${sinceOf(at)})`;
}

function placeAt(places: readonly Place[], i: number): Place | undefined {
  const last = places.at(-1);
  return places[i] ?? (last?.repeats ? last : undefined);
}
