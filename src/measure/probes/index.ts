export { headFor, readHead, writeHead } from "./head-file.ts";
export { type LinearProbe, linearProbe } from "./logistic.ts";
export { nearestNeighbours } from "./neighbours.ts";
export { type Probed, type ProbeOptions, probe } from "./probe.ts";
