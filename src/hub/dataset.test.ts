import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it, vi } from "vitest";
import { UsageError } from "../errors.ts";
import { commit, hubFixture } from "../testing/hub-fixture.ts";
import { downloadDataset } from "./dataset.ts";

const hub = hubFixture();

const shapes = {
  id: "datasets/tests/wds_shapes",
  commit,
  files: {
    "README.md": "not needed",
    "classnames.txt": "circle\nsquare\n",
    "test/0.tar": "the first shard",
    "test/1.tar": "the second shard",
    "test/nshards.txt": "2\n",
    "train/0.tar": "not needed",
    "train/nshards.txt": "1\n",
    "zeroshot_classification_templates.txt": "a {c}\n",
  },
  lfs: ["test/0.tar", "test/1.tar", "train/0.tar"],
};

async function refusal(spec: string, split?: string): Promise<string> {
  const failure = await downloadDataset(spec, split === undefined ? {} : { split }).catch((cause: unknown) => cause);
  expect(failure).toBeInstanceOf(UsageError);
  return (failure as UsageError).message;
}

it("brings one split with what tells of its classes, and only that, once", async () => {
  hub.server.serve(shapes);
  const folder = await downloadDataset("tests/wds_shapes");
  expect(folder).toBe(join(hub.home, "hub", "datasets--tests--wds_shapes", "snapshots", commit));
  expect(readdirSync(folder).sort()).toEqual(["classnames.txt", "test", "zeroshot_classification_templates.txt"]);
  expect(readdirSync(join(folder, "test")).sort()).toEqual(["0.tar", "1.tar", "nshards.txt"]);
  expect(readFileSync(join(folder, "test", "1.tar"), "utf8")).toBe("the second shard");
  expect(hub.server.takeTransfers().length).toBeGreaterThan(0);
  expect(await downloadDataset("tests/wds_shapes")).toBe(folder);
  expect(hub.server.takeTransfers()).toEqual([]);
});

it("goes on where a cut transfer ended, and does not take the part for the whole", async () => {
  hub.server.serve(shapes);
  hub.server.mischief = { kind: "down" };
  expect(await refusal("tests/wds_shapes")).toMatch(/Data set tests\/wds_shapes: test\/0\.tar stopped at 0 of 15/);
  vi.stubEnv("HF_HUB_OFFLINE", "1");
  expect(await refusal("tests/wds_shapes")).toMatch(/offline mode is on.*no complete copy of.*its test split/);
  vi.stubEnv("HF_HUB_OFFLINE", undefined);
  hub.server.mischief = { kind: "none" };
  const folder = await downloadDataset("tests/wds_shapes");
  vi.stubEnv("HF_HUB_OFFLINE", "1");
  expect(await downloadDataset("tests/wds_shapes")).toBe(folder);
});

it("says what is wrong: no such data set, no such split, no hub", async () => {
  hub.server.serve(shapes);
  expect(await refusal("tests/none")).toMatch(/Data set tests\/none: .*no such repository, or it is private/);
  expect(await refusal("tests/clip")).toMatch(/no such repository/);
  expect(await refusal("tests/wds_shapes", "val")).toMatch(/no tar files in val\/, but in test\/, train\/\./);
  expect(await refusal("shapes")).toMatch(/no hub id/);
  hub.server.status = 503;
  expect(await refusal("tests/wds_shapes")).toMatch(/answered with status 503.*no complete copy of its test split/);
});
