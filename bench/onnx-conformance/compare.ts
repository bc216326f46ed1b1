import { numbersOf, type Sample } from "./samples.ts";

/** As the ONNX project's own runner compares floating-point outputs. */
const RELATIVE = 1e-3;
const ABSOLUTE = 1e-5;
/** A result that the model rounds to bfloat16 is not rounded here: by up to 2^-8, and old tests cut off, by 2^-7. */
const RELATIVE_BFLOAT16 = 2 ** -7;
/** Results of half precision differ by its rounding: 2^-11 of what was added up, which may cancel. */
const ABSOLUTE_HALF = 2e-3;

/** Where two tensors differ, in words; undefined where they do not. Integers, truth values and strings must be equal. */
export function difference(name: string, got: Sample, wanted: Sample): string | undefined {
  if (got.shape.join() !== wanted.shape.join()) return `${name}: shape [${got.shape}] instead of [${wanted.shape}]`;
  if (wanted.type === "string") return `${got.data}` === `${wanted.data}` ? undefined : `${name}: other strings`;
  const [ours, theirs] = [numbersOf(got), numbersOf(wanted)];
  const [relative, absolute] = toleranceOf(wanted);
  const at = theirs.findIndex((value, i) => !isClose(ours[i]!, value, relative, absolute));
  return at < 0 ? undefined : `${name}[${at}]: ${ours[at]} instead of ${theirs[at]}`;
}

function toleranceOf({ type, isBfloat16 }: Sample): readonly [relative: number, absolute: number] {
  if (!type.startsWith("float")) return [0, 0];
  return [isBfloat16 ? RELATIVE_BFLOAT16 : RELATIVE, type === "float16" ? ABSOLUTE_HALF : ABSOLUTE];
}

function isClose(got: number, wanted: number, relative: number, absolute: number): boolean {
  if (got === wanted || (Number.isNaN(got) && Number.isNaN(wanted))) return true;
  return Math.abs(got - wanted) <= absolute + relative * Math.abs(wanted) && Number.isFinite(got);
}
