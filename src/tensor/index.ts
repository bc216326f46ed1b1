export { BFLOAT16, dtypeOfElementType, elementTypeAttributes, elementTypeOf, isDType } from "./dtype.ts";
export { fromHalf, toBfloat16, toHalf, widenBfloat16, widenHalf } from "./half.ts";
export { packNibbles, unpackNibbles } from "./nibbles.ts";
export {
  allocate,
  type DType,
  describeType,
  elementCount,
  type Storage,
  storageClass,
  type Tensor,
  type TypedArray,
} from "./tensor.ts";
export { bytesOf, viewAs } from "./views.ts";
