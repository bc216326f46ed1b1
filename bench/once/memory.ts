/** Measures the memory's rate in a process of its own: `CompileOptions` as JSON in, bytes a second out. */
import { memoryRate } from "../../src/profiling/index.ts";
import { once } from "./once.ts";

await once(memoryRate);
