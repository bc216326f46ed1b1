import { execFileSync } from "node:child_process";
import { linkSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, describe, expect, it } from "vitest";
import { UsageError } from "../errors.ts";
import { tarEntries } from "./tar.ts";

const root = mkdtempSync(join(tmpdir(), "lore-tar-"));
afterAll(() => rmSync(root, { recursive: true }));

/** Names at the limits of the formats, and lengths at those of the blocks. */
const files: Readonly<Record<string, Buffer>> = {
  "a.cls": Buffer.from("7"),
  "empty.txt": Buffer.alloc(0),
  "block.bin": Buffer.alloc(512, 1),
  "large.bin": Buffer.from(Array.from({ length: 20_001 }, (_, i) => i % 251)),
  [`${"deep/".repeat(30)}prefix.txt`]: Buffer.from("prefix"),
  [`${"l".repeat(180)}.txt`]: Buffer.from("long name"),
  "größe.txt": Buffer.from("not ASCII"),
};
for (const [name, content] of Object.entries(files)) {
  mkdirSync(dirname(join(root, "in", name)), { recursive: true });
  writeFileSync(join(root, "in", name), content);
}

let count = 0;
function systemTar(...options: readonly string[]): string {
  const path = join(root, `${count++}.tar`);
  execFileSync("tar", ["cf", path, ...options]);
  return path;
}

function contents(path: string): Record<string, Buffer> {
  return Object.fromEntries(
    [...tarEntries(path)].map(({ name, offset, length }) => [
      name.replace(/^\.\//, ""),
      readFileSync(path).subarray(offset, offset + length),
    ]),
  );
}

function fail(path: string): string {
  try {
    for (const _ of tarEntries(path));
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError);
    return (error as Error).message;
  }
  throw new Error("It was accepted.");
}

describe("tarEntries", () => {
  it.each(["gnu", "oldgnu", "pax", "posix"])("finds the files that the system's tar packs as %s", (format) => {
    expect(contents(systemTar(`--format=${format}`, "-C", join(root, "in"), "."))).toEqual(files);
  });

  it.each(["ustar", "v7"])("reads the short names of %s", (format) => {
    const names = ["a.cls", "block.bin", "large.bin", "empty.txt"];
    const path = systemTar(`--format=${format}`, "-C", join(root, "in"), ...names);
    expect(contents(path)).toEqual(Object.fromEntries(names.map((name) => [name, files[name]])));
  });

  it("reads small files while it walks, and stops early", () => {
    const path = systemTar("-C", join(root, "in"), "a.cls", "large.bin", "block.bin");
    const read: string[] = [];
    for (const entry of tarEntries(path)) {
      read.push(`${entry.name} ${entry.read().length}`);
      if (entry.name === "large.bin") break;
    }
    expect(read).toEqual(["a.cls 1", "large.bin 20001"]);
  });

  it("notices every place where an archive may be cut", () => {
    const path = systemTar("-C", join(root, "in"), "a.cls", "block.bin");
    const whole = readFileSync(path);
    // Two headers with a block each; then the zeros that end the archive.
    for (const length of [1, 511, 512, 513, 1023, 1024, 1500, 2048, 2559]) {
      writeFileSync(path, whole.subarray(0, length));
      expect(fail(path)).toContain(`cut short: it ends at offset ${length}`);
    }
    writeFileSync(path, "");
    expect(fail(path)).toMatch(/is empty/);
    expect([...tarEntries(systemTar("-T", "/dev/null"))]).toEqual([]);
  });

  it("refuses what it cannot read, saying why", () => {
    const path = systemTar("-C", join(root, "in"), "a.cls", "block.bin");
    const bytes = readFileSync(path);
    bytes[1024 + 3]! ^= 1;
    writeFileSync(path, bytes);
    expect(fail(path)).toContain("no tar header at offset 1024");
    writeFileSync(path, gzipSync(bytes, { level: 0 }));
    expect(fail(path)).toMatch(/is compressed/);
    expect(fail(join(root, "none.tar"))).toMatch(/none\.tar cannot be read: ENOENT/);
    linkSync(join(root, "in/a.cls"), join(root, "in/b.cls"));
    expect(fail(systemTar("-C", join(root, "in"), "a.cls", "b.cls"))).toMatch(/holds b\.cls as a link/);
  });
});
