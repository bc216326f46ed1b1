import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { UsageError } from "../../src/errors.ts";
import { type AttributeProto, type GraphProto, ModelProto } from "../../src/onnx/proto.ts";
import { readMessage } from "../../src/onnx/wire.ts";
import { readSample, type Sample, SampleError } from "./samples.ts";

/** One of the ONNX project's node tests: a model, inputs, and the outputs that are right. */
export interface Case {
  /** Its folder, relative to the one that is judged. */
  readonly name: string;
  readonly folder: string;
}

/** Content of a case's file, read without the importer that is judged. */
export interface CaseFacts {
  /** `Op`, or `domain:Op`. Functions that the file defines are named, not looked into. */
  readonly operators: readonly string[];
  readonly opset: number;
  /** Takes and gives tensors only, and floating-point ones on both sides. */
  readonly isFloat: boolean;
}

/** Inputs and outputs by the names that the model has for them, in its order. */
export interface TestData {
  readonly inputs: readonly (readonly [name: string, sample: Sample])[];
  readonly outputs: readonly (readonly [name: string, sample: Sample])[];
}

/** Every different case in and below a folder: releases repeat those of the ones before. */
export function findCases(root: string): readonly Case[] {
  const seen = new Set<string>();
  const folders = foldersIn(root).filter((folder) => isNew(folder, seen));
  if (folders.length === 0)
    throw new UsageError(`${root} holds no folder with a model.onnx and a test_data_set_0: extract ONNX's node tests`);
  return folders.map((folder) => ({ name: relative(root, folder), folder }));
}

function foldersIn(folder: string): readonly string[] {
  const entries = readdirSync(folder, { withFileTypes: true });
  const names = new Set(entries.map(({ name }) => name));
  if (names.has("model.onnx")) return names.has("test_data_set_0") ? [folder] : [];
  return entries
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => join(folder, name))
    .sort()
    .flatMap(foldersIn);
}

function isNew(folder: string, seen: Set<string>): boolean {
  const hash = createHash("sha256")
    .update(readFileSync(join(folder, "model.onnx")))
    .digest("hex");
  if (seen.has(hash)) return false;
  seen.add(hash);
  return true;
}

export const modelBytes = ({ folder }: Case): Uint8Array => new Uint8Array(readFileSync(join(folder, "model.onnx")));

export function factsOf(of: Case): CaseFacts {
  const { graph, opsetImport } = readMessage(ModelProto, modelBytes(of));
  const standard = opsetImport.find(({ domain }) => !domain || domain === "ai.onnx");
  const types = (values: GraphProto["input"]) => values.map(({ type }) => type?.tensorType?.elemType);
  const [inputs, outputs] = [types(graph?.input ?? []), types(graph?.output ?? [])];
  const isFloat =
    [...inputs, ...outputs].every((type) => type !== undefined && !strings.has(type)) &&
    [inputs, outputs].every((side) => side.some((type) => floats.has(type!)));
  const operators = [...new Set(graph ? operatorsOf(graph) : [])].sort();
  return { operators, opset: Number(standard?.version ?? 0), isFloat };
}

/** ONNX's numbers for float, float16 and double, and for strings. */
const floats: ReadonlySet<number> = new Set([1, 10, 11]);
const strings: ReadonlySet<number> = new Set([8]);

function operatorsOf({ node }: GraphProto): readonly string[] {
  return node.flatMap(({ opType = "", domain = "", attribute }) => [
    domain === "" || domain === "ai.onnx" ? opType : `${domain}:${opType}`,
    ...attribute.flatMap(({ g }: AttributeProto) => (g ? operatorsOf(g) : [])),
  ]);
}

/**
 * The first of a case's data sets.
 *
 * @throws SampleError on values that are no tensors, or of an element type that JavaScript has no arrays for
 */
export function testDataOf(of: Case): TestData {
  const { graph } = readMessage(ModelProto, modelBytes(of));
  const folder = join(of.folder, "test_data_set_0");
  const files = readdirSync(folder);
  const held = new Set(graph?.initializer.map(({ name }) => name));
  const fed = graph?.input.filter(({ name }) => !held.has(name)) ?? [];
  const read = (kind: string, values: GraphProto["input"]) =>
    values.flatMap(({ name = "", type }, i) => {
      if (!files.includes(`${kind}_${i}.pb`)) return [];
      if (!type?.tensorType) throw new SampleError(`${name} is no tensor`);
      return [[name, readSample(join(folder, `${kind}_${i}.pb`), type.tensorType.elemType ?? 0)] as const];
    });
  return { inputs: read("input", fed), outputs: read("output", graph?.output ?? []) };
}
