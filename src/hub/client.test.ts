import { writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import { clip, commit, hubFixture, refusal } from "../testing/hub-fixture.ts";
import { HubServer } from "../testing/hub-server.ts";
import { hubClient } from "./client.ts";
import { downloadEncoder } from "./download.ts";
import { hubSettings } from "./settings.ts";

const hub = hubFixture();

describe("access", () => {
  const tokens = (host: "hub" | "files") =>
    new Set(hub.server.requests.filter((seen) => seen.host === host).map(({ authorization }) => authorization));

  it("sends the token to the hub and to no other host", async () => {
    hub.server.serve({ ...clip, token: "not-even-hf_" });
    vi.stubEnv("HF_TOKEN", "not-even-hf_\n");
    await downloadEncoder("tests/clip");
    expect(tokens("hub")).toEqual(new Set(["Bearer not-even-hf_"]));
    expect(tokens("files")).toEqual(new Set([undefined]));
  });

  it("asks other hosts that an answer points to without the token", async () => {
    const other = await HubServer.start();
    other.status = 200;
    vi.stubEnv("HF_TOKEN", "hf_secret");
    const client = hubClient(hubSettings(), { type: "model", id: "tests/clip", revision: "main" });
    await client.fetch(`${other.url}/next-page`);
    await client.fetch(`${hub.server.url}/api/models/tests/clip/revision/main`);
    expect(other.requests.map(({ authorization }) => authorization)).toEqual([undefined]);
    expect(tokens("hub")).toEqual(new Set(["Bearer hf_secret"]));
    await other.stop();
  });

  it("takes the token that a login left", async () => {
    hub.server.serve({ ...clip, token: "hf_file" });
    writeFileSync(join(hub.home, "token"), "hf_file\n");
    await downloadEncoder("tests/clip");
    expect(tokens("hub")).toEqual(new Set(["Bearer hf_file"]));
  });

  it("says what to do about a gated repository", async () => {
    hub.server.serve({ ...clip, token: "hf_right" });
    expect(await refusal("tests/clip")).toMatch(
      /refuses access \(401\).*no token was sent.*\/tests\/clip, and set HF_TOKEN/,
    );
    vi.stubEnv("HF_TOKEN", "hf_wrong");
    expect(await refusal("tests/clip")).toMatch(/refuses access \(403\).*the token that was sent may not read it/);
  });

  it("says when there is no such repository or revision", async () => {
    expect(await refusal("tests/none")).toMatch(/no such repository, or it is private.*HF_TOKEN/);
    vi.stubEnv("HF_TOKEN", "hf_any");
    expect(await refusal("tests/none")).toMatch(/no such repository/);
    expect(await refusal("tests/clip@v9")).toContain('no revision "v9"');
  });
});

describe("without the hub", () => {
  it.each([
    ["HF_HUB_OFFLINE", "1"],
    ["HF_HUB_OFFLINE", "true"],
    ["TRANSFORMERS_OFFLINE", "1"],
  ])("%s=%s uses the cache and asks nothing", async (name, value) => {
    const folder = await downloadEncoder("tests/clip");
    hub.server.requests.length = 0;
    vi.stubEnv(name, value);
    expect(await downloadEncoder("tests/clip")).toBe(folder);
    expect(await downloadEncoder(`tests/clip@${commit}`)).toBe(folder);
    expect(await refusal("tests/clip@v2")).toMatch(/offline mode is on.*revision v2.*Run once without/);
    expect(hub.server.requests).toEqual([]);
  });

  it("uses a complete copy with a warning when the hub cannot be reached", async () => {
    const folder = await downloadEncoder("tests/clip");
    const onWarning = vi.fn();
    const gone = await HubServer.start();
    vi.stubEnv("HF_ENDPOINT", gone.url);
    await gone.stop();
    expect(await downloadEncoder("tests/clip", { onWarning })).toBe(folder);
    expect(onWarning.mock.calls).toEqual([[expect.stringMatching(/cannot be reached \(ECONNREFUSED\).*cached copy/)]]);
    vi.stubEnv("HF_ENDPOINT", hub.server.url);
    hub.server.status = 503;
    expect(await downloadEncoder("tests/clip", { onWarning })).toBe(folder);
    expect(onWarning).toHaveBeenLastCalledWith(expect.stringContaining("answered with status 503"));
  });

  it("says what to do when there is no copy either", async () => {
    vi.stubEnv("HF_ENDPOINT", "https://hub.invalid");
    expect(await refusal("tests/clip")).toMatch(
      /hub\.invalid cannot be reached \(E\w+\), and the cache .*hub holds no.*mirror/,
    );
    vi.stubEnv("HF_ENDPOINT", "hub");
    await expect(downloadEncoder("tests/clip")).rejects.toThrow('HF_ENDPOINT is "hub"');
  });

  it("does not wait for ever", async () => {
    const silent = createServer();
    await new Promise<void>((done) => silent.listen(0, "127.0.0.1", done));
    vi.stubEnv("HF_ENDPOINT", `http://127.0.0.1:${(silent.address() as AddressInfo).port}`);
    vi.stubEnv("HF_HUB_ETAG_TIMEOUT", "0.1");
    expect(await refusal("tests/clip")).toMatch(/cannot be reached \(no answer in time.*HF_HUB_ETAG_TIMEOUT/);
    silent.close();
  });

  it("does not take half a copy", async () => {
    hub.server.mischief = { kind: "down" };
    await refusal("tests/clip");
    hub.server.status = 500;
    expect(await refusal("tests/clip")).toContain("holds no complete copy");
  });

  it("says when what answers is no hub", async () => {
    hub.server.status = 200;
    expect(await refusal("tests/clip")).toMatch(/does not answer like a hub.*HF_ENDPOINT/);
  });
});
