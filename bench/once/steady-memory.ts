/** Takes many training steps in a process of its own: `SteadyOptions` as JSON in, `SteadyUse` out. */
import { measureSteady } from "../steady-run.ts";
import { once } from "./once.ts";

await once(measureSteady);
