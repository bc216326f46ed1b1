import type { Parameters } from "../../src/models/encoder.ts";
import type { RandomStream } from "../../src/random.ts";
import { allocate, type Tensor } from "../../src/tensor/tensor.ts";

type Shapes = ReadonlyMap<string, readonly number[]>;

/**
 * Random weights of variance 1 / inputs, with small embeddings. "even" attention hears every token alike. "mimetic"
 * weights start near what trained transformers look like (Trockman and Kolter 2023): queries resemble keys, so tokens
 * attend to similar ones, and the projection resembles minus the transposed values. With sinusoidal position embeddings,
 * "similar" begins as "near". It saves a small transformer many passes over real images; but a class token and an end
 * marker then hear mostly themselves, and on generated shapes both towers stay at chance.
 */
export function startingParameters(shapes: Shapes, attention: "mimetic" | "even", random: RandomStream): Parameters {
  const parameters = new Map<string, Tensor<"float32">>();
  for (const [name, shape] of shapes) {
    const data = allocate("float32", shape);
    const mimetic = attention === "mimetic";
    if (/norm(\d|_pre)?\.weight$/.test(name)) data.fill(1);
    else if (mimetic && name.endsWith("attn.qkv.weight")) queriesLikeKeys(data, shape[1]!, random);
    else if (mimetic && name.endsWith("attn.proj.weight")) {
      const qkv = parameters.get(name.replace("proj", "qkv"))!;
      minusValues(data, qkv.data, shape[0]!, random);
    } else if (!name.endsWith("bias")) {
      const inputs = shape.length > 1 ? shape.slice(1).reduce((a, b) => a * b) : shape[0]!;
      const deviation = /embed|token/.test(name) && !name.startsWith("patch") ? 0.02 : 1 / Math.sqrt(inputs);
      for (let i = 0; i < data.length; i++) data[i] = deviation * random.normal();
    }
    parameters.set(name, { dtype: "float32", shape, data });
  }
  return parameters;
}

/** [3 width, width]: keys share most of the queries' directions; values are plain. */
function queriesLikeKeys(data: Float32Array, width: number, random: RandomStream): void {
  const deviation = 1 / Math.sqrt(width);
  const block = width * width;
  for (let i = 0; i < block; i++) {
    const shared = random.normal();
    data[i] = deviation * (0.85 * shared + 0.5 * random.normal());
    data[block + i] = deviation * (0.85 * shared + 0.5 * random.normal());
    data[2 * block + i] = deviation * random.normal();
  }
}

/** [width, width]: 0.4 noise - 0.4 values^T. */
function minusValues(data: Float32Array, qkv: Float32Array, width: number, random: RandomStream): void {
  const values = qkv.subarray(2 * width * width);
  for (let row = 0; row < width; row++) {
    for (let column = 0; column < width; column++) {
      data[row * width + column] = (0.4 * random.normal()) / Math.sqrt(width) - 0.4 * values[column * width + row]!;
    }
  }
}

/** Sinusoidal embeddings of a square grid's rows and columns behind a class token's, [1, 1 + grid^2, width]. */
export function gridPositions(grid: number, width: number, scale: number): Tensor<"float32"> {
  const data = new Float32Array((1 + grid * grid) * width);
  const quarter = width / 4;
  for (let position = 0; position < grid * grid; position++) {
    const places = [Math.floor(position / grid), position % grid];
    for (let i = 0; i < quarter; i++) {
      const frequency = 1 / 100 ** (i / quarter);
      for (const [axis, place] of places.entries()) {
        const at = (1 + position) * width + axis * 2 * quarter + i;
        data[at] = scale * Math.sin(place * frequency);
        data[at + quarter] = scale * Math.cos(place * frequency);
      }
    }
  }
  return { dtype: "float32", shape: [1, 1 + grid * grid, width], data };
}
