import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { UsageError } from "../errors.ts";
import { jsonFile, readJson, readLines, writeAtomically } from "../files.ts";

const settingsFile = "settings.json";

/**
 * Opens the folder of a measurement in progress, and returns its earlier results. The folder holds `settings.json` and a
 * file with one line of JSON per result. Lines are appended as results come in.
 *
 * @param settings everything that the numbers depend on, as JSON
 * @throws UsageError when the folder holds results of other settings, or cannot be written
 */
export function openKept<Line>(
  folder: string,
  { settings, file }: { readonly settings: Readonly<Record<string, unknown>>; readonly file: string },
): readonly Line[] {
  try {
    mkdirSync(folder, { recursive: true });
    keepSettings(join(folder, settingsFile), settings);
    return readWholeLines(join(folder, file));
  } catch (cause) {
    if (cause instanceof UsageError) throw cause;
    throw new UsageError(`Results cannot be kept in ${folder}; give another folder with --out.`, { cause });
  }
}

/** Explanations, for messages, of settings that are not options. */
const meanings: Readonly<Record<string, string>> = {
  encoder: "the encoder has another name or other weights",
  surrogate: "the surrogate has another name or other weights",
  images: "the data has other images, labels or classes, or files of other sizes",
};

function explained(names: readonly string[]): string {
  const said = names.flatMap((name) => meanings[name] ?? []);
  return said.length === 0 ? "" : ` That is, ${said.join(", and ")}.`;
}

/** Writes the settings. If the folder has some already, they must be the same. */
function keepSettings(path: string, settings: Readonly<Record<string, unknown>>): void {
  if (!existsSync(path)) {
    writeAtomically(...jsonFile(path, settings));
    return;
  }
  const before = readJson(path) as Readonly<Record<string, unknown>>;
  const other = [...new Set([...Object.keys(before), ...Object.keys(settings)])].filter(
    (name) => JSON.stringify(before[name]) !== JSON.stringify(settings[name]),
  );
  if (other.length > 0)
    throw new UsageError(
      `${path} says that the folder's results are of other settings (${other.join(", ")}).${explained(other)} ` +
        "Give another folder with --out, or the same settings to go on.",
    );
}

/** Reads the lines. A truncated last line is removed from the file. */
function readWholeLines<Line>(path: string): readonly Line[] {
  if (!existsSync(path)) return [];
  const text = readFileSync(path, "utf8");
  const whole = text.slice(0, text.lastIndexOf("\n") + 1);
  if (whole.length < text.length) writeAtomically(path, whole);
  return readLines(path, (line, cause) => {
    throw new UsageError(`${path}, line ${line}, is damaged. Remove the line, and it is measured again.`, { cause });
  });
}
