export * from "../tensor/tensor.ts";
export { ConstantPool, constantValue, float32Tensor, int64Tensor, numbersOf, scalarTensor } from "./constants.ts";
export { decodeModel } from "./decode.ts";
export { type EncodedModel, type EncodeOptions, encodeModel } from "./encode.ts";
export { OnnxError } from "./errors.ts";
export { externalLocations } from "./external-files.ts";
export {
  type Attributes,
  type AttributeValue,
  irVersionFor,
  type OnnxAttribute,
  type OnnxGraph,
  type OnnxModel,
  type OnnxNode,
  type ValueInfo,
} from "./model.ts";
export { CANONICAL_OPSET, type CanonicalNode, canonicalize, type Lowered, lower, lowerAll } from "./opset.ts";
export type { ExternalFiles } from "./tensor-proto.ts";
