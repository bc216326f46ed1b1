import { readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import { loadEncoder } from "../models/load.ts";
import { normalizations } from "../models/normalizations.ts";
import { saveEncoder } from "../models/saving/save.ts";
import { OnnxText } from "../models/text/onnx-text.ts";
import { encodeSafetensors, readSafetensors } from "../safetensors.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { clip, clipFiles, commit, hubFixture, refusal, weights, weightsHash } from "../testing/hub-fixture.ts";
import { residualNetwork } from "../testing/onnx-networks.ts";
import { writeSplit } from "../testing/split-weights.ts";
import { tinyClip } from "../testing/tiny-clip.ts";
import { type DownloadProgress, downloadEncoder, isHubId } from "./download.ts";

const hub = hubFixture();

describe("isHubId", () => {
  it.each(["openai/clip-vit-base-patch32", "timm/vit.b_16", "owner/name@refs/pr/7", "owner/name@v1.0"])(
    "takes %s",
    (spec) => {
      expect(isHubId(spec)).toBe(true);
    },
  );

  it.each([
    "name",
    "./a/b",
    "../a/b",
    "/a/b",
    "a/b/c",
    "a/..",
    "a/b@../../c",
    "a--b/c",
    "a/model.safetensors",
    "a/b.pt",
    "a b/c",
    "",
  ])("leaves %j alone", (spec) => {
    expect(isHubId(spec)).toBe(false);
  });

  it("prefers what is on the disk", () => {
    expect(isHubId("src/nothing-here")).toBe(true);
    expect(isHubId("src/models")).toBe(false);
  });
});

describe("downloadEncoder", () => {
  it("fills the standard cache with what an encoder needs, and only that", async () => {
    const folder = await downloadEncoder("tests/clip");
    expect(folder).toBe(hub.snapshot);
    expect(readdirSync(folder).sort()).toEqual(clipFiles);
    expect(Buffer.compare(readFileSync(join(folder, "model.safetensors")), weights)).toBe(0);
    expect(readlinkSync(join(folder, "model.safetensors"))).toBe(join("..", "..", "blobs", weightsHash));
    // The id that `git hash-object` gives this content.
    expect(readlinkSync(join(folder, "tokenizer.json"))).toBe("../../blobs/9e26dfeeb6e641a33dae4961196235bdb965b21b");
    expect(readFileSync(join(hub.repository, "refs/main"), "utf8")).toBe(commit);
    expect(readdirSync(join(hub.repository, "blobs"))).toHaveLength(3);
    expect(hub.server.takeTransfers().map(({ line }) => line)).not.toContainEqual(
      expect.stringContaining("pytorch_model"),
    );
  });

  it("downloads nothing the second time", async () => {
    const folder = await downloadEncoder("tests/clip");
    expect(hub.server.takeTransfers()).not.toEqual([]);
    const onProgress = vi.fn();
    expect(await downloadEncoder("tests/clip", { onProgress })).toBe(folder);
    expect(hub.server.takeTransfers()).toEqual([]);
    expect(onProgress).not.toHaveBeenCalled();
  });

  it("tells how far it is, over all files", async () => {
    const steps: DownloadProgress[] = [];
    await downloadEncoder("tests/clip", { onProgress: (step) => steps.push(step) });
    const totalBytes = weights.length + 24 + 2 + 2;
    expect(steps.every((step) => step.totalBytes === totalBytes)).toBe(true);
    expect(steps.map(({ bytes }) => bytes)).toEqual(steps.map(({ bytes }) => bytes).sort((a, b) => a - b));
    expect(steps.at(-1)).toEqual({ file: "model.safetensors", bytes: totalBytes, totalBytes });
    expect(new Set(steps.map(({ file }) => file))).toEqual(new Set(clipFiles));
  });

  it("keeps revisions apart and shares their blobs", async () => {
    const other = "f".repeat(40);
    await downloadEncoder("tests/clip");
    hub.server.takeTransfers();
    hub.server.serve({
      ...clip,
      commit: other,
      revisions: ["v2", "refs/pr/1"],
      files: { ...clip.files, "config.json": "{ }" },
    });
    const folder = await downloadEncoder("tests/clip@refs/pr/1");
    expect(folder).toBe(join(hub.repository, "snapshots", other));
    expect(readdirSync(folder).sort()).toEqual(clipFiles);
    expect(hub.server.takeTransfers().map(({ line }) => line)).toEqual([
      `GET /tests/clip/resolve/${other}/config.json`,
    ]);
    expect(readFileSync(join(hub.repository, "refs/refs/pr/1"), "utf8")).toBe(other);
    expect(await downloadEncoder(`tests/clip@${other}`)).toBe(folder);
  });

  it("takes shards, over several pages of a listing", async () => {
    const shards = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
    const index = JSON.stringify({ weight_map: { a: shards[0], b: shards[1] } });
    hub.server.pageSize = 2;
    hub.server.serve({
      id: "tests/sharded",
      commit,
      files: {
        "config.json": "{}",
        "pytorch_model.bin": "never",
        [shards[0]!]: "first",
        [shards[1]!]: "second",
        "model.safetensors.index.json": index,
      },
      lfs: shards,
    });
    const folder = await downloadEncoder("tests/sharded");
    expect(readdirSync(folder).sort()).toEqual(["config.json", ...shards, "model.safetensors.index.json"]);

    vi.stubEnv("HF_HUB_OFFLINE", "1");
    expect(await downloadEncoder("tests/sharded")).toBe(folder);
    rmSync(join(folder, shards[1]!));
    expect(await refusal("tests/sharded")).toContain("no complete copy");
  });

  it("takes open_clip's files where transformers' are not", async () => {
    const files = {
      "open_clip_config.json": "{}",
      "open_clip_model.safetensors": "weights",
      "open_clip_pytorch_model.bin": "never",
    };
    hub.server.serve({ id: "tests/open", commit, files });
    expect(readdirSync(await downloadEncoder("tests/open")).sort()).toEqual(Object.keys(files).slice(0, 2));
  });

  it("takes open_clip's file with both towers rather than one tower in another form", async () => {
    const files = {
      "open_clip_config.json": "{}",
      "open_clip_model.safetensors": "both towers of weights",
      "model.safetensors": "one of them",
    };
    hub.server.serve({ id: "tests/timm", commit, files });
    expect(readdirSync(await downloadEncoder("tests/timm")).sort()).toEqual(Object.keys(files).slice(0, 2));
  });

  describe("a text tower in ONNX", () => {
    const onnx = ["onnx/text_model.onnx", "onnx/text_model.onnx_data"] as const;
    const serve = (...tensors: readonly string[]) => {
      const one: Tensor = { dtype: "uint8", shape: [1], data: Uint8Array.of(1) };
      const files = {
        "config.json": "{}",
        "model.safetensors": encodeSafetensors(new Map(tensors.map((name) => [name, one]))),
        "onnx/model.onnx": "never",
        "onnx/text_model.onnx": "nodes",
        "onnx/text_model.onnx_data": "weights",
      };
      hub.server.serve({ id: "tests/clip", commit, files, lfs: onnx });
    };

    it("comes where the weights have none", async () => {
      serve("vision_model.post_layernorm.weight", "visual_projection.weight");
      const onProgress = vi.fn();
      const folder = await downloadEncoder("tests/clip", { onProgress });
      expect(readdirSync(folder).sort()).toEqual(["config.json", "model.safetensors", "onnx"]);
      expect(onnx.map((name) => readFileSync(join(folder, name), "utf8"))).toEqual(["nodes", "weights"]);
      const { bytes, totalBytes } = onProgress.mock.lastCall![0] as DownloadProgress;
      expect(bytes).toBe(totalBytes);
      hub.server.takeTransfers();
      expect(await downloadEncoder("tests/clip")).toBe(folder);
      expect(hub.server.takeTransfers()).toEqual([]);
    });

    it.each(["text_model.embeddings.token_embedding.weight", "token_embedding.weight"])(
      "stays where they have %s",
      async (name) => {
        serve("visual.proj", name);
        expect(readdirSync(await downloadEncoder("tests/clip")).sort()).toEqual(["config.json", "model.safetensors"]);
      },
    );

    it("makes a CLIP of the vision tower that lies beside it", async () => {
      const made = join(hub.home, "made");
      saveEncoder(tinyClip(), made);
      const names = ["config.json", "tokenizer.json", "tokenizer_config.json", onnx[0]];
      const { tensors } = readSafetensors(join(made, "model.safetensors"));
      const vision = new Map(
        [...tensors].filter(([name]) => /^(vision_model\.|visual_projection|logit_scale)/.test(name)),
      );
      const files = {
        ...Object.fromEntries(names.map((name) => [name, readFileSync(join(made, name))])),
        "model.safetensors": encodeSafetensors(vision),
      };
      hub.server.serve({ id: "tests/vision", commit, files });
      const { text } = await loadEncoder("tests/vision");
      expect(text).toBeInstanceOf(OnnxText);
      const wanted = await tinyClip().text!.embed(["red cat"], { threads: 1 });
      const got = await text!.embed(["red cat"], { threads: 1 });
      // The same weights, summed by ONNX Runtime in perhaps another order.
      expect(got).toHaveLength(wanted.length);
      for (const [i, value] of wanted.entries()) expect(got[i]).toBeCloseTo(value, 5);
    });

    it("and its vision tower are an encoder where there is nothing in safetensors", async () => {
      const made = join(hub.home, "made");
      saveEncoder(tinyClip(), made);
      const settings = ["config.json", "preprocessor_config.json", "tokenizer.json", "tokenizer_config.json"];
      const models = ["model", "text_model", "vision_model", "model_quantized"].map((name) => `onnx/${name}.onnx`);
      const held = [...settings, ...models.slice(0, 3)].map((name) => [name, readFileSync(join(made, name))]);
      hub.server.serve({ id: "tests/js", commit, files: { ...Object.fromEntries(held), [models[3]!]: "smaller" } });
      const encoder = await loadEncoder("tests/js");
      expect([encoder.layout, encoder.name, encoder.imageSize]).toEqual(["onnx", "tests/js", 8]);
      const folder = await downloadEncoder("tests/js");
      expect(readdirSync(join(folder, "onnx")).sort()).toEqual(["text_model.onnx", "vision_model.onnx"]);
      const [got, wanted] = [await encoder.text!.embed(["red cat"]), await tinyClip().text!.embed(["red cat"])];
      for (const [i, value] of wanted.entries()) expect(got[i]).toBeCloseTo(value, 5);
      vi.stubEnv("HF_HUB_OFFLINE", "1");
      expect(await downloadEncoder("tests/js")).toBe(folder);
    });

    it("is in the snapshot before the weights are, which make it complete", async () => {
      serve("visual_projection.weight");
      // Only large files come from the other host.
      hub.server.mischief = { kind: "down" };
      expect(await refusal(`tests/clip@${commit}`)).toContain("onnx/text_model.onnx stopped");
      vi.stubEnv("HF_HUB_OFFLINE", "1");
      expect(await refusal(`tests/clip@${commit}`)).toContain("no complete copy");
    });
  });
});

describe("an ONNX model with weights beside it", () => {
  it("comes with all files that it names, whatever they are called", async () => {
    const made = join(hub.home, "made", "onnx", "model.onnx");
    writeSplit(made, residualNetwork(), (index) => `tensor${String(index).padStart(2, "0")}`);
    const names = readdirSync(join(made, ".."));
    const files = Object.fromEntries(names.map((name) => [`onnx/${name}`, readFileSync(join(made, "..", name))]));
    hub.server.serve({ id: "tests/split", commit, files: { ...files, "onnx/other.bin": "not needed" } });
    const encoder = await loadEncoder("tests/split", { normalization: normalizations.none });
    expect(encoder.imageSize).toBe(16);
    const folder = await downloadEncoder("tests/split");
    expect(readdirSync(join(folder, "onnx")).sort()).toEqual(names.sort());
  });
});

describe("repositories without safetensors", () => {
  it("are refused with the line that converts transformers' pickles", async () => {
    hub.server.serve({ id: "tests/pickled", commit, files: { "config.json": "{}", "pytorch_model.bin": "never" } });
    const message = await refusal("tests/pickled");
    expect(message).toMatch(
      /pickle.*\n {2}python -c ".*from_pretrained\('tests\/pickled'\)\.save_pretrained\('pickled', safe_s.*"\n/,
    );
    expect(hub.server.takeTransfers()).toEqual([]);
  });

  it("are refused with the line that converts the largest pickle", async () => {
    hub.server.serve({
      id: "tests/state",
      commit,
      files: { "args.bin": "x", "w$(id).pt": "very long", "clip.pt": "longer" },
    });
    const message = await refusal("tests/state");
    expect(message).toMatch(
      /torch\.load\(huggingface_hub\.hf_hub_download\('tests\/state', 'clip\.pt'\),.*weights_only=True/,
    );
    expect(message).not.toContain("$(id)");
  });

  it("are refused with what they hold", async () => {
    hub.server.serve({ id: "tests/onnx", commit, files: { "config.json": "{}", "vision_model.onnx": "onnx" } });
    expect(await refusal("tests/onnx")).toMatch(/neither model\.safetensors.*vision_model\.onnx/);
  });
});
