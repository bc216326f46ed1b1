/**
 * The README's picture: generated images, clean and attacked, and the predictions of quickstart's small CLIP before and
 * after fine-tuning. `npx tsx scripts/docs/picture.ts` trains for about a minute and writes docs/attack.svg.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { pgd } from "../../src/attacks.ts";
import { synthetic } from "../../src/data.ts";
import { finetune, loadEncoder, robust } from "../../src/index.ts";
import { attackedExamples } from "../../src/measure/accuracy/index.ts";
import { imagePng } from "../../src/report/index.ts";

const root = join(import.meta.dirname, "..", "..");
const epsilon = 4 / 255;
const columns = 3;
const side = 112;
const gap = 12;
const captions = { width: 150, line: 20 };

const original = await loadEncoder(join(root, "assets", "clip-shapes"));
const train = synthetic({ count: 8192 + 256, seed: 1, split: "all" });
const { encoder: hardened } = await finetune(original, train, robust({ epsilon }), { epochs: 1, limit: 8192 });

const test = synthetic({ count: 60, seed: 2, split: "test", label: "colour-shape" });
const attacked = (encoder: typeof original) =>
  attackedExamples(encoder, test, pgd({ epsilon, steps: 20 }), [...test.items.keys()], { seed: 0 });
const [before, after] = [await attacked(original), await attacked(hardened)];

// Images that show the difference; how often it is so, the table beside the picture says.
const shown = before
  .map((_, i) => i)
  .filter((i) => holdsClean(i) && before[i]!.predictedPerturbed !== before[i]!.label)
  .filter((i) => after[i]!.predictedPerturbed === after[i]!.label)
  .slice(0, columns);
if (shown.length < columns) throw new Error(`Only ${shown.length} images show the difference; ${columns} are needed.`);

const rows = [
  { title: ["original", "CLIP"], examples: before },
  { title: ["after", "lore train"], examples: after },
];
const width = captions.width + columns * (2 * side + 3 * gap);
const rowHeight = side + captions.line + 2 * gap;
const height = 40 + rows.length * rowHeight;
const parts: string[] = [];
for (const [column] of shown.entries()) {
  const x = captions.width + column * (2 * side + 3 * gap);
  parts.push(text(x + side / 2, 24, "clean", "head"), text(x + side + gap / 2 + side / 2, 24, "attacked", "head"));
}
for (const [row, { title, examples }] of rows.entries()) {
  const y = 40 + row * rowHeight;
  for (const [line, words] of title.entries())
    parts.push(text(captions.width - 2 * gap, y + side / 2 + 4 + (line - 0.5) * 22, words, "row"));
  for (const [column, i] of shown.entries()) {
    const { clean, perturbed, label, predictedClean, predictedPerturbed } = examples[i]!;
    const cells = [
      { pixels: clean, says: predictedClean },
      { pixels: perturbed, says: predictedPerturbed },
    ];
    for (const [cell, { pixels, says }] of cells.entries()) {
      const x = captions.width + column * (2 * side + 3 * gap) + cell * (side + gap / 2);
      const png = (await imagePng(pixels, original.imageSize)).toString("base64");
      parts.push(
        `<image x="${x}" y="${y}" width="${side}" height="${side}" href="data:image/png;base64,${png}"/>`,
        text(x + side / 2, y + side + captions.line, says, says === label ? "right" : "wrong"),
      );
    }
  }
}

const style = `
  rect { fill: #fff; }
  image { image-rendering: pixelated; }
  text { font: 13px system-ui, "Segoe UI", "Helvetica Neue", Arial, sans-serif; text-anchor: middle; fill: #1f2328; }
  .head { fill: #59636e; }
  .row { font-weight: 600; text-anchor: end; }
  .right { fill: #1a7f37; }
  .wrong { fill: #cf222e; }
`;
const label =
  "Three generated images, clean and attacked at 4/255, and what the encoder says before and after fine-tuning.";
writeFileSync(
  join(root, "docs", "attack.svg"),
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${label}">\n` +
    `<style>${style}</style>\n<rect width="${width}" height="${height}"/>\n${parts.join("\n")}\n</svg>\n`,
);

function holdsClean(i: number): boolean {
  return [before, after].every((examples) => examples[i]!.predictedClean === examples[i]!.label);
}

function text(x: number, y: number, words: string, kind: string): string {
  return `<text class="${kind}" x="${x}" y="${y}">${words}</text>`;
}
