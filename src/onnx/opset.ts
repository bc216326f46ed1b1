export { CANONICAL_OPSET, type CanonicalNode } from "./canonical.ts";
export { canonicalize } from "./canonicalize.ts";
export { type Lowered, lower, lowerAll } from "./lower.ts";
