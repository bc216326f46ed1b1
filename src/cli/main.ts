#!/usr/bin/env node
import { keepYoungGenerationSmall } from "../runtime/index.ts";
import { lore } from "./lore.ts";

keepYoungGenerationSmall();

// A command that ended normally may still have set another code, such as an interrupted run's.
process.exitCode = (await lore(process.argv.slice(2))) || (process.exitCode ?? 0);
