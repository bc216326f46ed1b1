import {
  bytes,
  bytesList,
  doubles,
  emptyMessage,
  float,
  floats,
  int32,
  int32s,
  int64,
  int64s,
  message,
  messages,
  type Schema,
  string,
  strings,
  uint64s,
} from "./wire.ts";

/*
 * The messages of onnx.proto (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto), the fields that this project reads
 * or writes or must refuse. A message type and its schema stand together; a field that did not occur is undefined or empty.
 */

export interface StringStringEntryProto {
  key: string | undefined;
  value: string | undefined;
}
const StringStringEntryProto: Schema<StringStringEntryProto> = { key: string(1), value: string(2) };

export interface OperatorSetIdProto {
  domain: string | undefined;
  version: bigint | undefined;
}
const OperatorSetIdProto: Schema<OperatorSetIdProto> = { domain: string(1), version: int64(2) };

export interface DimensionProto {
  dimValue: bigint | undefined;
  dimParam: string | undefined;
}
const DimensionProto: Schema<DimensionProto> = { dimValue: int64(1), dimParam: string(2) };

export interface TensorShapeProto {
  dim: readonly DimensionProto[];
}
const TensorShapeProto: Schema<TensorShapeProto> = { dim: messages(1, () => DimensionProto) };

export interface TensorTypeProto {
  elemType: number | undefined;
  shape: TensorShapeProto | undefined;
}
const TensorTypeProto: Schema<TensorTypeProto> = { elemType: int32(1), shape: message(2, () => TensorShapeProto) };

/** Sequence, map, optional and sparse types are left out: such a value has no `tensorType`. */
export interface TypeProto {
  tensorType: TensorTypeProto | undefined;
}
const TypeProto: Schema<TypeProto> = { tensorType: message(1, () => TensorTypeProto) };

export interface ValueInfoProto {
  name: string | undefined;
  type: TypeProto | undefined;
}
const ValueInfoProto: Schema<ValueInfoProto> = { name: string(1), type: message(2, () => TypeProto) };

export interface TensorProto {
  dims: readonly bigint[];
  dataType: number | undefined;
  floatData: readonly number[];
  int32Data: readonly number[];
  stringData: readonly Uint8Array[];
  int64Data: readonly bigint[];
  name: string | undefined;
  rawData: Uint8Array | undefined;
  doubleData: readonly number[];
  uint64Data: readonly bigint[];
  externalData: readonly StringStringEntryProto[];
  dataLocation: number | undefined;
}
export const TensorProto: Schema<TensorProto> = {
  dims: int64s(1),
  dataType: int32(2),
  floatData: floats(4),
  int32Data: int32s(5),
  stringData: bytesList(6),
  int64Data: int64s(7),
  name: string(8),
  rawData: bytes(9),
  doubleData: doubles(10),
  uint64Data: uint64s(11),
  externalData: messages(13, () => StringStringEntryProto),
  dataLocation: int32(14),
};

export interface AttributeProto {
  name: string | undefined;
  f: number | undefined;
  i: bigint | undefined;
  s: Uint8Array | undefined;
  t: TensorProto | undefined;
  g: GraphProto | undefined;
  floats: readonly number[];
  ints: readonly bigint[];
  strings: readonly Uint8Array[];
  type: number | undefined;
  /** In a function's body: the attribute of the call that gives this one's value. */
  refAttrName: string | undefined;
}
const AttributeProto: Schema<AttributeProto> = {
  name: string(1),
  f: float(2),
  i: int64(3),
  s: bytes(4),
  t: message(5, () => TensorProto),
  g: message(6, () => GraphProto),
  floats: floats(7),
  ints: int64s(8),
  strings: bytesList(9),
  type: int32(20),
  refAttrName: string(21),
};

/** Values of `AttributeProto.type`. */
export const AttributeType = {
  float: 1,
  int: 2,
  string: 3,
  tensor: 4,
  graph: 5,
  floats: 6,
  ints: 7,
  strings: 8,
} as const;

export interface NodeProto {
  input: readonly string[];
  output: readonly string[];
  name: string | undefined;
  opType: string | undefined;
  attribute: readonly AttributeProto[];
  domain: string | undefined;
  /** Selects one of several functions with the same name. */
  overload: string | undefined;
}
const NodeProto: Schema<NodeProto> = {
  input: strings(1),
  output: strings(2),
  name: string(3),
  opType: string(4),
  attribute: messages(5, () => AttributeProto),
  domain: string(7),
  overload: string(8),
};

export interface GraphProto {
  node: readonly NodeProto[];
  name: string | undefined;
  initializer: readonly TensorProto[];
  input: readonly ValueInfoProto[];
  output: readonly ValueInfoProto[];
  valueInfo: readonly ValueInfoProto[];
  sparseInitializer: readonly Uint8Array[];
}
const GraphProto: Schema<GraphProto> = {
  node: messages(1, () => NodeProto),
  name: string(2),
  initializer: messages(5, () => TensorProto),
  input: messages(11, () => ValueInfoProto),
  output: messages(12, () => ValueInfoProto),
  valueInfo: messages(13, () => ValueInfoProto),
  sparseInitializer: bytesList(15),
};

/** An operator that a model defines in terms of others. */
export interface FunctionProto {
  name: string | undefined;
  input: readonly string[];
  output: readonly string[];
  node: readonly NodeProto[];
  opsetImport: readonly OperatorSetIdProto[];
  domain: string | undefined;
  /** Attributes with defaults. */
  attributeProto: readonly AttributeProto[];
  overload: string | undefined;
}
const FunctionProto: Schema<FunctionProto> = {
  name: string(1),
  input: strings(4),
  output: strings(5),
  node: messages(7, () => NodeProto),
  opsetImport: messages(9, () => OperatorSetIdProto),
  domain: string(10),
  attributeProto: messages(11, () => AttributeProto),
  overload: string(13),
};

export interface ModelProto {
  irVersion: bigint | undefined;
  producerName: string | undefined;
  producerVersion: string | undefined;
  docString: string | undefined;
  graph: GraphProto | undefined;
  opsetImport: readonly OperatorSetIdProto[];
  metadataProps: readonly StringStringEntryProto[];
  functions: readonly FunctionProto[];
}
export const ModelProto: Schema<ModelProto> = {
  irVersion: int64(1),
  producerName: string(2),
  producerVersion: string(3),
  docString: string(6),
  graph: message(7, () => GraphProto),
  opsetImport: messages(8, () => OperatorSetIdProto),
  metadataProps: messages(14, () => StringStringEntryProto),
  functions: messages(25, () => FunctionProto),
};

/** A tensor message with nothing but these fields. */
export const tensorProto = (fields: Partial<TensorProto>): TensorProto => ({ ...emptyMessage(TensorProto), ...fields });

/** A node, and a function, with nothing but these fields. */
export const nodeProto = (fields: Partial<NodeProto>): NodeProto => ({ ...emptyMessage(NodeProto), ...fields });
export const functionProto = (fields: Partial<FunctionProto>): FunctionProto => ({
  ...emptyMessage(FunctionProto),
  ...fields,
});

/** An attribute message with nothing but these fields. */
export const attributeProto = (fields: Partial<AttributeProto>): AttributeProto => ({
  ...emptyMessage(AttributeProto),
  ...fields,
});
