export { blend, blendParameters } from "./blend.ts";
export { type Fidelity, HeldOutImages, holdOut } from "./held-out.ts";
export { type BlendPoint, type BlendRule, type ChosenBlend, largestBlend } from "./search.ts";
export { type FrontOptions, type FrontPoint, front } from "../measure/tradeoff/front.ts";
