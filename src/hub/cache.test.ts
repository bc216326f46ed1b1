import { lstatSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { symlink } from "node:fs/promises";
import { join } from "node:path";
import { downloadFileToCacheDir, scanCacheDir, snapshotDownload } from "@huggingface/hub";
import { describe, expect, it, vi } from "vitest";
import { clip, clipFiles, commit, hubFixture, weights } from "../testing/hub-fixture.ts";
import { downloadEncoder } from "./download.ts";

vi.mock(import("node:fs/promises"), async (original) => {
  const real = await original();
  return { ...real, symlink: vi.fn(real.symlink) };
});

const hub = hubFixture();

describe("a cache shared with other tools", () => {
  it("is one that the hub's own library reads", async () => {
    const folder = await downloadEncoder("tests/clip");
    hub.server.requests.length = 0;
    const { repos, warnings } = await scanCacheDir(join(hub.home, "hub"));
    expect(warnings).toEqual([]);
    expect(repos).toMatchObject([
      { id: { name: "tests/clip", type: "model" }, revisions: [{ commitOid: commit, refs: ["main"] }] },
    ]);
    expect(repos[0]!.revisions[0]!.files).toHaveLength(clipFiles.length);
    const pointer = await downloadFileToCacheDir({
      repo: "tests/clip",
      path: "model.safetensors",
      revision: commit,
      cacheDir: join(hub.home, "hub"),
    });
    expect(pointer).toBe(join(folder, "model.safetensors"));
  });

  it("takes what that library downloaded", async () => {
    vi.spyOn(console, "debug").mockImplementation(() => {});
    await snapshotDownload({ repo: "tests/clip", cacheDir: join(hub.home, "hub"), hubUrl: hub.server.url });
    expect(hub.server.takeTransfers()).not.toEqual([]);
    expect(await downloadEncoder("tests/clip")).toBe(hub.snapshot);
    expect(hub.server.takeTransfers()).toEqual([]);
  });

  it("lies where the environment says", async () => {
    vi.stubEnv("HF_HUB_CACHE", join(hub.home, "elsewhere"));
    expect(await downloadEncoder("tests/clip")).toContain(join(hub.home, "elsewhere", "models--tests--clip"));
    vi.stubEnv("HF_HUB_CACHE", undefined);
    vi.stubEnv("HF_HOME", undefined);
    vi.stubEnv("XDG_CACHE_HOME", join(hub.home, "xdg"));
    expect(await downloadEncoder("tests/clip")).toContain(
      join(hub.home, "xdg", "huggingface", "hub", "models--tests--clip"),
    );
    vi.stubEnv("HOME", hub.home);
    vi.stubEnv("HF_HOME", "~/tilde");
    expect(await downloadEncoder("tests/clip")).toContain(join(hub.home, "tilde", "hub", "models--tests--clip"));
  });

  it("holds copies where links are not allowed", async () => {
    vi.mocked(symlink).mockRejectedValueOnce(Object.assign(new Error("not permitted"), { code: "EPERM" }));
    const folder = await downloadEncoder("tests/clip");
    expect(lstatSync(join(folder, "config.json")).isFile()).toBe(true);
    expect(lstatSync(join(folder, "model.safetensors")).isSymbolicLink()).toBe(true);
    expect(readFileSync(join(folder, "config.json"), "utf8")).toBe(clip.files["config.json"]);
    hub.server.requests.length = 0;
    await downloadEncoder("tests/clip");
    expect(hub.server.takeTransfers()).toEqual([]);
  });

  it("serves two calls at once", async () => {
    const folders = await Promise.all([downloadEncoder("tests/clip"), downloadEncoder("tests/clip")]);
    expect(folders).toEqual([hub.snapshot, hub.snapshot]);
    expect(readdirSync(hub.snapshot).sort()).toEqual(clipFiles);
    expect(readdirSync(join(hub.repository, "blobs"))).toHaveLength(3);
    expect(Buffer.compare(readFileSync(join(hub.snapshot, "model.safetensors")), weights)).toBe(0);
  });

  it("replaces links that lead nowhere and blobs of the wrong size", async () => {
    await downloadEncoder("tests/clip");
    const blob = hub.blob;
    rmSync(blob);
    await downloadEncoder("tests/clip");
    expect(statSync(blob).size).toBe(weights.length);
    writeFileSync(blob, "short");
    await downloadEncoder("tests/clip");
    expect(Buffer.compare(readFileSync(blob), weights)).toBe(0);
  });
});
