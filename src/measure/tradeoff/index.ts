export { type FrontOptions, type FrontPoint, front } from "./front.ts";
