/** Instructions of a loop's body, in WebAssembly's binary format (specification, chapter 5). */
export type Code = readonly number[];

/** Unsigned LEB128. */
export function unsigned(value: number): Code {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)];
}

const vector = (content: readonly Code[]): Code => [...unsigned(content.length), ...content.flat()];
const section = (id: number, content: Code): Code => [id, ...unsigned(content.length), ...content];
const named = (name: string): Code => vector([...name].map((character) => [character.charCodeAt(0)]));

const types = { i32: 0x7f, f32: 0x7d, v128: 0x7b } as const;
export type WasmType = keyof typeof types;

const simd = (opcode: number): Code => [0xfd, ...unsigned(opcode)];
/** Log2 of the alignment, and no offset to the address on the stack. */
const place: Code = [4, 0];

export const op = {
  get: (local: number): Code => [0x20, ...unsigned(local)],
  set: (local: number): Code => [0x21, ...unsigned(local)],
  tee: (local: number): Code => [0x22, ...unsigned(local)],
  loop: [0x03, 0x40],
  againIf: [0x0d, 0],
  end: [0x0b],
  /** At most 63. */
  i32: (value: number): Code => [0x41, value],
  i32Add: [0x6a],
  i32Less: [0x49],
  f32Add: [0x92],
  load: [...simd(0x00), ...place],
  store: [...simd(0x0b), ...place],
  splat: simd(0x13),
  constant: (value: number): Code => {
    const bytes = new Uint8Array(Float32Array.of(value, value, value, value).buffer);
    return [...simd(0x0c), ...bytes];
  },
  lane: (lane: number): Code => [...simd(0x1f), lane],
  sqrt: simd(0xe3),
  add: simd(0xe4),
  sub: simd(0xe5),
  mul: simd(0xe6),
  div: simd(0xe7),
} as const;

/** A module with one function, exported as `run`, in a memory that it imports. */
export function moduleOf(
  parameters: readonly WasmType[],
  result: WasmType,
  locals: readonly WasmType[],
  body: Code,
): Uint8Array<ArrayBuffer> {
  const signature = [0x60, ...vector(parameters.map((type) => [types[type]])), ...vector([[types[result]]])];
  const code = [...vector(locals.map((type) => [1, types[type]])), ...body, ...op.end];
  const memory = [...named("loop"), ...named("memory"), 2, 0, ...unsigned(1)];
  return Uint8Array.from([
    ...[0, ...named("asm").slice(1), 1, 0, 0, 0],
    ...section(1, vector([signature])),
    ...section(2, vector([memory])),
    ...section(3, vector([[0]])),
    ...section(7, vector([[...named("run"), 0, 0]])),
    ...section(10, vector([[...unsigned(code.length), ...code]])),
  ]);
}

/** The part of the standard used here. Its types otherwise come only with those of browsers. */
declare const WebAssembly: {
  readonly Memory: new (pages: { readonly initial: number }) => WasmMemory;
  readonly Module: new (bytes: Uint8Array<ArrayBuffer>) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: { readonly run: Run } };
};

export interface WasmMemory {
  readonly buffer: ArrayBuffer;
}

/** The function of a module: a number a parameter. */
export type Run = (...parameters: readonly number[]) => number;

export const wasmPageBytes = 2 ** 16;
export const maxWasmPages = 2 ** 16;

export function wasmMemory(pages: number): WasmMemory {
  return new WebAssembly.Memory({ initial: pages });
}

export function instantiate(module: Uint8Array<ArrayBuffer>, memory: WasmMemory): Run {
  return new WebAssembly.Instance(new WebAssembly.Module(module), { loop: { memory } }).exports.run;
}
