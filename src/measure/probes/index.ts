export { type FittedHead, headFor, readHead, writeHead } from "./head-file.ts";
export type { Labelled } from "./labelled.ts";
export { type FitOptions, type LinearProbe, linearProbe } from "./logistic.ts";
export { nearestNeighbours } from "./neighbours.ts";
export { type Probed, type ProbeOptions, probe } from "./probe.ts";
