import { join } from "node:path";
import { appendLines } from "../../files.ts";
import { openKept } from "../../results/index.ts";
import { type Condition, conditionName } from "./conditions.ts";

/** Images evaluated under a condition, and how many of them were classified correctly. */
export interface Count {
  readonly images: number;
  readonly correct: number;
}

interface Line extends Count {
  readonly condition: string;
}

const file = "corruptions.jsonl";

/** Counts of one encoder's correct predictions under each condition. */
export class CorruptionCounts {
  readonly #known = new Map<string, Count>();
  readonly #folder: string | undefined;

  private constructor(folder?: string) {
    this.#folder = folder;
  }

  /** Counts held in memory only. */
  static inMemory(): CorruptionCounts {
    return new CorruptionCounts();
  }

  /**
   * Counts saved in a folder too: `settings.json`, and `corruptions.jsonl` with one line per condition. Reopened with the
   * same settings, it continues from the earlier counts.
   *
   * @param settings everything that the numbers depend on but the conditions, as JSON
   * @throws UsageError when the folder holds results of other settings, or cannot be written
   */
  static open(folder: string, settings: Readonly<Record<string, unknown>>): CorruptionCounts {
    const counts = new CorruptionCounts(folder);
    for (const { condition, ...count } of openKept<Line>(folder, { settings, file }))
      counts.#known.set(condition, count);
    return counts;
  }

  /** Conditions counted. */
  get size(): number {
    return this.#known.size;
  }

  find(condition: Condition): Count | undefined {
    return this.#known.get(conditionName(condition));
  }

  add(condition: Condition, count: Count): void {
    const line: Line = { condition: conditionName(condition), ...count };
    this.#known.set(line.condition, count);
    if (this.#folder !== undefined) appendLines(join(this.#folder, file), [line]);
  }
}
