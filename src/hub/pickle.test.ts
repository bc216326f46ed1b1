import { describe, expect, it } from "vitest";
import { isPickle, pickledRepositoryRefusal, pickleRefusal } from "./pickle.ts";

describe("isPickle", () => {
  it.each(["model.pt", "a/b.pth", "pytorch_model.bin", "last.ckpt"])("takes %s", (path) => {
    expect(isPickle(path)).toBe(true);
  });

  it.each(["model.safetensors", "model.onnx", "apt", "x.bin.json"])("leaves %s", (path) => {
    expect(isPickle(path)).toBe(false);
  });
});

/** The shell commands in a message. */
function commands(message: string): readonly string[] {
  return message.split("\n").filter((line) => line.startsWith("  python"));
}

describe("the line that converts a pickle", () => {
  it("reads a local file without running its code, and writes beside it", () => {
    const [command, ...others] = commands(pickleRefusal("my runs/fare.2.pt"));
    expect(others).toEqual([]);
    expect(command).toContain("torch.load(sys.argv[1], map_location='cpu', weights_only=True)");
    expect(command).toMatch(/" "my runs\/fare\.2\.pt" "my runs\/fare\.2\.safetensors"$/);
  });

  it("lets transformers convert what is in its layout", () => {
    const [command] = commands(pickledRepositoryRefusal("a/clip", ["pytorch_model.bin", "config.json"]));
    expect(command).toContain("AutoModel.from_pretrained('a/clip').save_pretrained('clip', safe_serialization=True)");
  });

  it("has no more quotes than the shell takes", () => {
    const messages = [
      pickleRefusal("x.pt"),
      pickledRepositoryRefusal("a/b", ["x.pt"]),
      pickledRepositoryRefusal("a/b", ["pytorch_model.bin", "config.json"]),
    ];
    for (const command of messages.flatMap(commands)) {
      const code = /^ {2}python -c "([^"]*)"( "[^"]*" "[^"]*")?$/.exec(command)?.[1];
      expect(code).toBeDefined();
      expect(code).not.toMatch(/[$`\\!]/);
    }
  });

  it("takes no name that a shell would run", () => {
    expect(pickledRepositoryRefusal("a/b", ["$(rm -rf x).pt"])).not.toContain("$(");
  });
});
