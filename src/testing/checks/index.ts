export { apply, type Checks } from "./check.ts";
export { elementwise } from "./elementwise.ts";
export { indexing } from "./indexing.ts";
export { products } from "./products.ts";
export { reductions } from "./reductions.ts";
export { shape } from "./shape.ts";
export { windowed } from "./windows.ts";
