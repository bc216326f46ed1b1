/**
 * The floor plan of `src/`: `npx tsx scripts/docs/floor-plan.ts` writes docs/floor-plan.svg. Floors as in
 * .dependency-cruiser.cjs, which is what holds; a test compares the rooms here with the folders.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";

interface Floor {
  readonly name: string;
  /** Rooms, each on its own step: those of a later list stand on those of an earlier one. */
  readonly rooms: readonly string[];
  readonly browser?: readonly string[];
}

/** From the top down. */
export const floors: readonly Floor[] = [
  { name: "doors", rooms: ["index", "attacks", "data", "measure", "models", "autodiff", "web", "cli/"] },
  { name: "answers", rooms: ["measure/", "profiling/", "sweep/", "report/", "results/"] },
  { name: "work", rooms: ["training/", "blending/", "embeddings/", "inference/"] },
  { name: "method", rooms: ["objectives/", "attacks/"], browser: ["attacks/"] },
  { name: "things", rooms: ["models/", "data/", "corruptions/", "hub/"] },
  { name: "engine", rooms: ["runtime/"] },
  {
    name: "graphs",
    rooms: ["autodiff/", "importing/", "optimize/", "graph/", "onnx/"],
    browser: ["autodiff/", "importing/", "optimize/", "graph/", "onnx/"],
  },
  { name: "ground", rooms: ["errors", "random", "files", "safetensors", "tensor/"], browser: ["tensor/"] },
];

const [left, width, floor, gap] = [110, 900, 52, 8];

function drawing(): string {
  const height = floors.length * floor + gap;
  const parts = floors.flatMap(({ name, rooms, browser = [] }, row) => {
    const y = gap + row * floor;
    const room = (width - left - gap) / rooms.length;
    return [
      `<text class="floor" x="${left - 2 * gap}" y="${y + 27}">${name}</text>`,
      ...rooms.flatMap((words, column) => {
        const x = left + column * room;
        const kind = browser.includes(words) ? "browser" : "node";
        return [
          `<rect class="${kind}" x="${round(x)}" y="${y}" width="${round(room - gap)}" height="${floor - gap}" rx="4"/>`,
          `<text x="${round(x + (room - gap) / 2)}" y="${y + 27}">${words}</text>`,
        ];
      }),
    ];
  });
  const style = `
  text { font: 14px system-ui, "Segoe UI", "Helvetica Neue", Arial, sans-serif; text-anchor: middle; fill: #1f2328; }
  .floor { text-anchor: end; fill: #59636e; font-weight: 600; }
  .paper { fill: #fff; }
  .node { fill: #f6f8fa; stroke: #d1d9e0; }
  .browser { fill: #dafbe1; stroke: #4ac26b; }
`;
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" ` +
    `aria-label="Floors of the source, from the doors down to the ground">\n<style>${style}</style>\n` +
    `<rect class="paper" width="${width}" height="${height}"/>\n${parts.join("\n")}\n</svg>\n`
  );
}

function round(x: number): number {
  return Math.round(10 * x) / 10;
}

writeFileSync(join(import.meta.dirname, "..", "..", "docs", "floor-plan.svg"), drawing());
