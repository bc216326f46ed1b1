import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { expect, test } from "vitest";
import { OnnxError } from "./errors.ts";
import { externalLocations } from "./external-files.ts";

type Field = readonly [number: number, content: Uint8Array | string | number];

/** A protobuf message, by the field numbers of onnx.proto. */
function message(...fields: readonly Field[]): Uint8Array {
  const writer = new BinaryWriter();
  for (const [number, content] of fields) {
    if (typeof content === "number") writer.tag(number, WireType.Varint).int64(content);
    else if (typeof content === "string") writer.tag(number, WireType.LengthDelimited).string(content);
    else writer.tag(number, WireType.LengthDelimited).bytes(content);
  }
  return writer.finish();
}

/** A TensorProto with its elements in a file, or where it is not said to be external, in itself. */
const tensor = (location: string, isExternal = 1): Uint8Array =>
  message(
    [1, 4],
    [2, 1],
    [13, message([1, "offset"], [2, "64"])],
    [13, message([1, "location"], [2, location])],
    [14, isExternal],
  );
const nodeWith = (...attribute: Field): Uint8Array => message([4, "Op"], [5, message(attribute)]);

test("files of tensors wherever a model can hold them, each once", () => {
  const graph = message(
    [1, nodeWith(5, tensor("constant"))],
    [1, nodeWith(10, tensor("list"))],
    [1, nodeWith(6, message([5, tensor("branch")]))],
    [1, nodeWith(11, message([1, nodeWith(5, tensor("nested"))]))],
    [1, nodeWith(22, message([1, tensor("values")], [2, tensor("indices")]))],
    [5, tensor("initializer")],
    [5, tensor("initializer")],
    [5, tensor("inside", 0)],
    [15, message([1, tensor("sparse")])],
  );
  const model = message(
    [1, 8],
    [7, graph],
    [25, message([7, nodeWith(5, tensor("function"))])],
    [20, message([1, message([5, tensor("training")])])],
  );
  expect([...externalLocations(model)].sort()).toEqual(
    [
      "branch",
      "constant",
      "function",
      "indices",
      "initializer",
      "list",
      "nested",
      "sparse",
      "training",
      "values",
    ].sort(),
  );
});

test("what is no protobuf is refused", () => {
  expect(() => externalLocations(new TextEncoder().encode("no model"))).toThrow(OnnxError);
});
