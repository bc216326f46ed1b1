/** Times training steps in a process of its own: `BenchOptions` as JSON in, `BenchResult` out. */
import { bench } from "../../src/profiling/index.ts";
import { once } from "./once.ts";

await once(bench);
