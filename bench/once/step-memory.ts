/** Takes training steps in a process of its own: `MemoryOptions` as JSON in, `MemoryUse` out. */
import { measureMemory } from "../memory-cases.ts";
import { once } from "./once.ts";

await once(measureMemory);
