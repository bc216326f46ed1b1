import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";

const repository = join(import.meta.dirname, "..");
const pages = [
  ...["README.md", "CONTRIBUTING.md", "CHANGELOG.md"],
  ...["docs", "docs/lab"].flatMap((folder) =>
    readdirSync(join(repository, folder))
      .filter((file) => file.endsWith(".md"))
      .map((file) => join(folder, file)),
  ),
];

const rooms = readdirSync(join(repository, "src"), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);

test("the README is one page", () => {
  expect(read("README.md").split("\n").length).toBeLessThanOrEqual(141);
});

test.each(pages)("links of %s lead somewhere", (page) => {
  const dead = links(page).filter(([target, anchor]) => {
    const file = target === "" ? page : join(dirname(page), target);
    if (!existsSync(join(repository, file))) return true;
    return anchor !== undefined && !anchors(file).has(anchor);
  });
  expect(dead).toEqual([]);
});

test("every page is reached from the README", () => {
  const reached = new Set(["README.md"]);
  // A set goes over what is added meanwhile, too.
  for (const page of reached)
    for (const [target] of links(page)) if (target.endsWith(".md")) reached.add(join(dirname(page), target));
  expect(pages.filter((page) => !reached.has(page))).toEqual([]);
});

test("every room has a row in CONTRIBUTING.md and a place in the floor plan", () => {
  const house = read("CONTRIBUTING.md");
  const plan = read("docs/floor-plan.svg");
  expect(rooms.filter((room) => !house.includes(`| \`src/${room}/\``))).toEqual([]);
  expect(rooms.filter((room) => room !== "testing" && !plan.includes(`>${room}/<`))).toEqual([]);
});

test("rooms that CONTRIBUTING.md and the floor plan name are there", () => {
  const named = [...read("CONTRIBUTING.md").matchAll(/^\|[^|]*\| `src\/(\w+)\/`/gm)].map(([, room]) => room!);
  const drawn = [...read("docs/floor-plan.svg").matchAll(/>(\w+)\/</g)].map(([, room]) => room!);
  expect(named.length).toBeGreaterThan(0);
  expect([...named, ...drawn].filter((room) => !rooms.includes(room))).toEqual([]);
});

function read(path: string): string {
  return readFileSync(join(repository, path), "utf8");
}

/** Targets inside the repository: a path, relative to the page, and what is behind the `#`. */
function links(page: string): readonly (readonly [target: string, anchor?: string])[] {
  const text = read(page).replace(/^```[\s\S]*?^```$/gm, "");
  return [...text.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, link]) => link!)
    .filter((link) => !/^[a-z]+:/.test(link))
    .map((link) => link.split("#") as [string, string?]);
}

/** Headings as GitHub addresses them. */
function anchors(page: string): ReadonlySet<string> {
  const headings = read(page).matchAll(/^#+ (.*)$/gm);
  return new Set(
    [...headings].map(([, words]) =>
      words!
        .toLowerCase()
        .replaceAll(/[^\w\- ]/g, "")
        .replaceAll(" ", "-"),
    ),
  );
}
