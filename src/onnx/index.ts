export { type CanonicalNode, NEWEST_OPSET } from "./canonical.ts";
export { canonicalize } from "./canonicalize.ts";
export { constantValue, int64Tensor, numbersOf, scalarTensor, tensorOfNumbers } from "./constants.ts";
export { decodeModel } from "./decode.ts";
export { encodeModel } from "./encode.ts";
export { OnnxError } from "./errors.ts";
export { externalLocations } from "./external-files.ts";
export { toFloat16 } from "./float16.ts";
export { alignedOperators } from "./legacy.ts";
export { lower } from "./lower.ts";
export {
  type Attributes,
  irVersionFor,
  type OnnxAttribute,
  type OnnxGraph,
  type OnnxModel,
  type OnnxNode,
  type ValueInfo,
} from "./model.ts";
export { factsOf } from "./operators.ts";
export { renamed } from "./renamed.ts";
export { type ExternalPatch, replaceTensors } from "./replace.ts";
export { type Retyping, retyped } from "./retyped.ts";
