export { blend } from "./blend.ts";
export { HeldOutImages, holdOut } from "./held-out.ts";
export { type BlendPoint, type BlendRule, type ChosenBlend, largestBlend } from "./search.ts";
