import { Worker } from "node:worker_threads";
import { LoreError } from "../errors.ts";
import type { ReadReply, ReadRequest } from "./batch-worker.ts";

interface Waiting {
  readonly resolve: (reply: ReadReply) => void;
  readonly reject: (error: Error) => void;
}

/** Worker threads that read images. Requests go to the workers in turn; each worker answers its own in order. */
export class WorkerPool {
  readonly #workers: readonly Worker[];
  readonly #waiting = new Map<number, Waiting>();
  #failure: LoreError | undefined;
  #requests = 0;

  /** @param count Number of threads, at least 1. They start at once. */
  constructor(count: number) {
    this.#workers = Array.from({ length: count }, () => this.#start());
  }

  /**
   * Asks for a group of images; a worker takes it up as soon as it is done with what it was asked before, also while
   * this thread is busy.
   *
   * @returns What could be read. Rejects with a LoreError when the worker thread itself died.
   */
  read(request: Omit<ReadRequest, "id">): Promise<ReadReply> {
    const id = this.#requests++;
    const reply = new Promise<ReadReply>((resolve, reject) => {
      if (this.#failure) return reject(this.#failure);
      this.#waiting.set(id, { resolve, reject });
      this.#workers[id % this.#workers.length]!.postMessage({ id, ...request } satisfies ReadRequest);
    });
    // Replies are awaited in order, which may be long after a failure or never.
    reply.catch(() => {});
    return reply;
  }

  /**
   * Waits for a reply, keeping the process alive meanwhile. Between waits the workers do not: a batch iterator that
   * was dropped half-way must not keep a program from ending.
   */
  async wait(reply: Promise<ReadReply>): Promise<ReadReply> {
    for (const worker of this.#workers) worker.ref();
    try {
      return await reply;
    } finally {
      for (const worker of this.#workers) worker.unref();
    }
  }

  /** Ends the threads. Pending requests are never answered. */
  async close(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }

  #start(): Worker {
    const worker = startWorker();
    worker.unref();
    worker.on("message", (reply: ReadReply) => {
      this.#waiting.get(reply.id)?.resolve(reply);
      this.#waiting.delete(reply.id);
    });
    const fail = (cause: Error) => {
      this.#failure = new LoreError(`A worker thread that reads images died: ${cause.message}`, { cause });
      for (const { reject } of this.#waiting.values()) reject(this.#failure);
      this.#waiting.clear();
    };
    worker.on("error", fail);
    worker.on("messageerror", fail);
    return worker;
  }
}

function startWorker(): Worker {
  if (!import.meta.url.endsWith(".ts")) return new Worker(new URL("./batch-worker.js", import.meta.url));
  // From the TypeScript sources (tests, examples). On Node 20 `--import tsx` has no effect in a worker thread, so the
  // worker registers the loader itself.
  const loader = import.meta.resolve("tsx/esm/api");
  const entry = new URL("./batch-worker.ts", import.meta.url).href;
  const start = `import("${loader}").then((tsx) => { tsx.register(); return import("${entry}"); });`;
  return new Worker(start, { eval: true });
}
