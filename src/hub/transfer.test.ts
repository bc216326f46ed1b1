import { existsSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import { hubFixture, refusal, weights } from "../testing/hub-fixture.ts";
import type { Mischief } from "../testing/hub-server.ts";
import { type DownloadProgress, downloadEncoder } from "./download.ts";

const hub = hubFixture();

/** Bytes of the files that come before the weights. */
const smallBytes = 28;

describe("a broken transfer", () => {
  const ranges = () =>
    hub.server
      .takeTransfers()
      .filter(({ host }) => host === "files")
      .map(({ range }) => range);

  /** Downloads; cuts the transfer of the weights at the first of these places, then behaves in the given way, and so on. */
  function downloadWithCuts(...cuts: readonly (readonly [at: number, then: Mischief])[]): Promise<string> {
    const left = [...cuts];
    hub.server.mischief = { kind: "stall", after: left[0]![0] };
    return downloadEncoder("tests/clip", {
      onProgress: ({ file, bytes }) => {
        if (file !== "model.safetensors" || bytes - smallBytes !== left[0]?.[0]) return;
        hub.server.mischief = left.shift()![1];
        hub.server.cut();
      },
    });
  }

  it("goes on from where it broke", async () => {
    await downloadWithCuts([200_000, { kind: "stall", after: 120_000 }], [320_000, { kind: "none" }]);
    expect(ranges()).toEqual([undefined, "bytes=200000-", "bytes=320000-"]);
    expect(Buffer.compare(readFileSync(join(hub.snapshot, "model.safetensors")), weights)).toBe(0);
    expect(existsSync(`${hub.blob}.incomplete`)).toBe(false);
  });

  it("goes on in the next call when the host went away", async () => {
    await expect(downloadWithCuts([200_000, { kind: "down" }])).rejects.toThrow(
      /model\.safetensors stopped at 200000 of 400000 bytes.*503.*Run the same again/,
    );
    expect(statSync(`${hub.blob}.incomplete`).size).toBe(200_000);
    expect(existsSync(join(hub.repository, "refs/main"))).toBe(false);
    hub.server.takeTransfers();

    hub.server.mischief = { kind: "none" };
    const steps: DownloadProgress[] = [];
    await downloadEncoder("tests/clip", { onProgress: (step) => steps.push(step) });
    expect(ranges()).toEqual(["bytes=200000-"]);
    expect(steps[0]!.bytes).toBe(200_000 + smallBytes);
    expect(Buffer.compare(readFileSync(join(hub.snapshot, "model.safetensors")), weights)).toBe(0);
  });

  it("goes on after it was told to end", async () => {
    hub.server.mischief = { kind: "stall", after: 160_000 };
    const control = new AbortController();
    const onProgress = ({ bytes }: DownloadProgress) => bytes >= 160_000 && control.abort(new Error("enough"));
    await expect(downloadEncoder("tests/clip", { onProgress, signal: control.signal })).rejects.toThrow("enough");
    hub.server.takeTransfers();
    hub.server.mischief = { kind: "none" };
    await downloadEncoder("tests/clip");
    expect(ranges()).toEqual(["bytes=160000-"]);
    expect(Buffer.compare(readFileSync(join(hub.snapshot, "model.safetensors")), weights)).toBe(0);
  });

  it("begins again where the host knows no ranges", async () => {
    mkdirSync(join(hub.repository, "blobs"), { recursive: true });
    writeFileSync(`${hub.blob}.incomplete`, new Uint8Array(120_000));
    hub.server.mischief = { kind: "no ranges" };
    await downloadEncoder("tests/clip");
    expect(Buffer.compare(readFileSync(join(hub.snapshot, "model.safetensors")), weights)).toBe(0);
  });

  it("does not wait for ever", async () => {
    vi.stubEnv("HF_HUB_DOWNLOAD_TIMEOUT", "0.1");
    hub.server.mischief = { kind: "stall", after: 0 };
    expect(await refusal("tests/clip")).toMatch(/no answer in time.*HF_HUB_DOWNLOAD_TIMEOUT/);
  });

  it.each([
    ["longer", 480_000],
    ["of other bytes", 240_000],
  ])("is found out when what was there is %s", async (_, length) => {
    mkdirSync(join(hub.repository, "blobs"), { recursive: true });
    writeFileSync(`${hub.blob}.incomplete`, new Uint8Array(length));
    expect(await refusal("tests/clip")).toMatch(/model\.safetensors arrived damaged.*Run the same again/);
    await downloadEncoder("tests/clip");
    expect(Buffer.compare(readFileSync(join(hub.snapshot, "model.safetensors")), weights)).toBe(0);
  });

  it("is found out when the host sends other bytes", async () => {
    hub.server.mischief = { kind: "damage" };
    expect(await refusal("tests/clip")).toContain("arrived damaged");
    expect(existsSync(join(hub.snapshot, "model.safetensors"))).toBe(false);
  });

  it.skipIf(!existsSync("/dev/full"))("names a full disk", async () => {
    mkdirSync(join(hub.repository, "blobs"), { recursive: true });
    symlinkSync("/dev/full", `${hub.blob}.incomplete`);
    expect(await refusal("tests/clip")).toMatch(/the disk of the cache .* is full.*HF_HOME/);
  });

  it("names a cache that cannot be written", async () => {
    vi.stubEnv("HF_HUB_CACHE", join(hub.home, "file"));
    writeFileSync(join(hub.home, "file"), "");
    expect(await refusal("tests/clip")).toMatch(/the cache .*file cannot be written.*HF_HOME/);
  });
});
