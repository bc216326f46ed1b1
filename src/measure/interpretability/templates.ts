import { fileURLToPath } from "node:url";
import { openTemplates } from "../../inference/index.ts";

const file = fileURLToPath(new URL("../../../assets/templates-150.txt", import.meta.url));

/** The 150 templates that ship with the project, `{}` for the class's name: views, places, weather, states, media. */
export function manyTemplates(): readonly string[] {
  return openTemplates(file);
}
