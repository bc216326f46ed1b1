import { UsageError } from "../errors.ts";

/** An ONNX file that cannot be read or written, or a node that has no form in the wanted opset. */
export class OnnxError extends UsageError {}
