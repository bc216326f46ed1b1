import { BinaryReader, type BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { Rope } from "./rope.ts";

/** How one field of a protobuf message is read and written. */
export interface Field<T> {
  readonly number: number;
  /** The value of a field that does not occur. */
  readonly absent: () => T;
  /** Reads one occurrence; `previous` is what earlier occurrences gave. */
  readonly read: (reader: BinaryReader, wire: WireType, previous: T) => T;
  readonly write: (output: Rope, value: T) => void;
}

/** One field for every property of a message type. */
export type Schema<M> = { readonly [K in keyof M]-?: Field<M[K]> };

interface Scalar<T> {
  readonly wire: WireType;
  readonly read: (reader: BinaryReader) => T;
  readonly write: (writer: BinaryWriter, value: T) => void;
}

const scalars = {
  int32: { wire: WireType.Varint, read: (r) => r.int32(), write: (w, v) => w.int32(v) } as Scalar<number>,
  int64: { wire: WireType.Varint, read: (r) => BigInt(r.int64()), write: (w, v) => w.int64(v) } as Scalar<bigint>,
  uint64: { wire: WireType.Varint, read: (r) => BigInt(r.uint64()), write: (w, v) => w.uint64(v) } as Scalar<bigint>,
  float: { wire: WireType.Bit32, read: (r) => r.float(), write: (w, v) => w.float(v) } as Scalar<number>,
  double: { wire: WireType.Bit64, read: (r) => r.double(), write: (w, v) => w.double(v) } as Scalar<number>,
};

function singular<T>(
  number: number,
  wire: WireType,
  read: (reader: BinaryReader, previous: T | undefined) => T,
  write: (output: Rope, value: T) => void,
): Field<T | undefined> {
  return {
    number,
    absent: () => undefined,
    read: (reader, actual, previous) => {
      expectWire(actual, wire, number);
      return read(reader, previous);
    },
    write: (output, value) => {
      if (value !== undefined) write(output, value);
    },
  };
}

function one<T>({ wire, read, write }: Scalar<T>): (number: number) => Field<T | undefined> {
  return (number) =>
    singular(number, wire, read, (output, value) => output.small((w) => write(w.tag(number, wire), value)));
}

/** Repeated numbers: read packed or one by one, written packed. */
function many<T>({ wire, read, write }: Scalar<T>): (number: number) => Field<readonly T[]> {
  return (number) => ({
    number,
    absent: () => [],
    read: (reader, actual, previous) => {
      const values = previous as T[];
      if (actual !== WireType.LengthDelimited) {
        expectWire(actual, wire, number);
        values.push(read(reader));
        return values;
      }
      const packed = new BinaryReader(reader.bytes());
      while (packed.pos < packed.len) values.push(read(packed));
      return values;
    },
    write: (output, values) => {
      if (values.length === 0) return;
      output.small((w) => {
        w.tag(number, WireType.LengthDelimited).fork();
        for (const value of values) write(w, value);
        w.join();
      });
    },
  });
}

/** The element fields of `many`, over whole values: strings and messages. */
function each<T>(
  number: number,
  read: (reader: BinaryReader) => T,
  write: (output: Rope, value: T) => void,
): Field<readonly T[]> {
  return {
    number,
    absent: () => [],
    read: (reader, actual, previous) => {
      expectWire(actual, WireType.LengthDelimited, number);
      (previous as T[]).push(read(reader));
      return previous;
    },
    write: (output, values) => {
      for (const value of values) write(output, value);
    },
  };
}

export const int32 = one(scalars.int32);
export const int64 = one(scalars.int64);
export const float = one(scalars.float);
export const int32s = many(scalars.int32);
export const int64s = many(scalars.int64);
export const uint64s = many(scalars.uint64);
export const floats = many(scalars.float);
export const doubles = many(scalars.double);

const text = (number: number) => (output: Rope, value: string) =>
  output.small((w) => w.tag(number, WireType.LengthDelimited).string(value));

export const string = (number: number): Field<string | undefined> =>
  singular(number, WireType.LengthDelimited, (reader) => reader.string(), text(number));

export const strings = (number: number): Field<readonly string[]> =>
  each(number, (reader) => reader.string(), text(number));

/** Bytes, read as a view of the file. */
export const bytes = (number: number): Field<Uint8Array | undefined> =>
  singular(
    number,
    WireType.LengthDelimited,
    (reader) => reader.bytes(),
    (output, value) => output.bytes(number, value),
  );

export const bytesList = (number: number): Field<readonly Uint8Array[]> =>
  each(
    number,
    (reader) => reader.bytes(),
    (output, value) => output.bytes(number, value),
  );

const writeInner =
  <M extends object>(number: number, schema: () => Schema<M>) =>
  (output: Rope, value: M) =>
    output.message(number, writeMessage(schema(), value));

/** A message field; the schema comes lazily because ONNX's messages contain each other. */
export const message = <M extends object>(number: number, schema: () => Schema<M>): Field<M | undefined> =>
  singular(
    number,
    WireType.LengthDelimited,
    (reader, previous) => readMessage(schema(), reader.bytes(), previous),
    writeInner(number, schema),
  );

export const messages = <M extends object>(number: number, schema: () => Schema<M>): Field<readonly M[]> =>
  each(number, (reader) => readMessage(schema(), reader.bytes()), writeInner(number, schema));

/** Reads a message; fields that the schema does not name are skipped. Throws RangeError or Error on bytes that are not one. */
export function readMessage<M extends object>(schema: Schema<M>, source: Uint8Array, merge?: M): M {
  const names = namesByNumber(schema);
  const result = merge ?? emptyMessage(schema);
  const reader = new BinaryReader(source);
  while (reader.pos < reader.len) {
    const [number, wire] = reader.tag();
    const name = names.get(number);
    if (name === undefined) reader.skip(wire, number);
    else result[name] = schema[name].read(reader, wire, result[name]);
  }
  return result;
}

/** Writes a message, fields in the order of the schema. */
export function writeMessage<M extends object>(schema: Schema<M>, value: M): Rope {
  const rope = new Rope();
  for (const name of keysOf(schema)) schema[name].write(rope, value[name]);
  return rope;
}

/** A message with every field absent. */
export function emptyMessage<M extends object>(schema: Schema<M>): M {
  return Object.fromEntries(keysOf(schema).map((name) => [name, schema[name].absent()])) as M;
}

const nameTables = new WeakMap<object, Map<number, PropertyKey>>();

function namesByNumber<M extends object>(schema: Schema<M>): ReadonlyMap<number, keyof M> {
  let table = nameTables.get(schema) as Map<number, keyof M> | undefined;
  if (table === undefined) {
    table = new Map(keysOf(schema).map((name) => [schema[name].number, name]));
    nameTables.set(schema, table);
  }
  return table;
}

const keysOf = <M extends object>(schema: Schema<M>) => Object.keys(schema) as (keyof M)[];

function expectWire(actual: WireType, expected: WireType, number: number): void {
  if (actual !== expected) throw new Error(`field ${number} has wire type ${actual}, not ${expected}`);
}
