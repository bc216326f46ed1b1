/**
 * A progress line on stderr: redrawn in place on a terminal, a line every ten seconds elsewhere. Drawn when told to,
 * not by a timer, since ONNX Runtime holds the thread while it computes.
 */
export class ProgressLine {
  readonly #terminal = process.stderr.isTTY === true;
  readonly #every = this.#terminal ? 100 : 10_000;
  /** The count at which the label first appeared: a run that is resumed does not begin at 0. */
  #first = { at: 0, done: 0 };
  #drawn = Number.NEGATIVE_INFINITY;
  #label = "";
  #open = false;

  /** @param detail the text behind the bar, for example losses */
  update(label: string, done: number, total: number, detail = ""): void {
    const now = performance.now();
    if (label !== this.#label) {
      this.end();
      this.#label = label;
      this.#first = { at: now, done };
    }
    if (now - this.#drawn < this.#every && done < total) return;
    this.#drawn = now;
    const share = total > 0 ? done / total : 1;
    const { at, done: before } = this.#first;
    const left = done > before ? `${duration(((now - at) / 1000) * ((total - done) / (done - before)))} left` : "";
    const filled = Math.round(20 * share);
    const bar = "#".repeat(filled) + ".".repeat(20 - filled);
    // The most important part comes first: a narrow terminal cuts off the end.
    const text = [label, `${done}/${total}`, left, `[${bar}]`, detail].filter((part) => part !== "").join("  ");
    const width = process.stderr.columns ?? 120;
    process.stderr.write(this.#terminal ? `\r\u001b[2K${text.slice(0, width - 1)}` : `${text}\n`);
    this.#open = this.#terminal;
  }

  /** A message between progress lines. */
  note(message: string): void {
    this.end();
    process.stderr.write(`${message}\n`);
  }

  /** Ends the line, so that what follows starts on its own. */
  end(): void {
    if (this.#open) process.stderr.write("\n");
    this.#open = false;
  }
}

/** `4 min 20 s` */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}
