import type { PicturedExample } from "../../results/index.ts";
import type { AccuracyGroup } from "../accuracies.ts";
import { type Base, membersOf, type ShownEncoder } from "../encoders.ts";
import { embeddedImage, escapeHtml, note, type Part, scrolling, subheading } from "../page.ts";
import type { Tiles } from "../tiles.ts";
import { baseHeading, nameCell, type ReportView } from "../view.ts";

/** Images in rows at most: of one base, and of each of several. */
const [maxRows, maxRowsEach] = [6, 4];

/** Attacked images in rows and encoders in columns, with what each takes them for; differences behind a toggle. */
export function picturesPart(view: ReportView, tiles: Tiles): Part {
  const tables = view.encoders.bases.flatMap((base, i) => {
    const shown = shownOf(base, view);
    return shown ? [...heading(base, view), ...table(shown, tiles, i)] : [];
  });
  return {
    heading: "See it",
    link: "Pictures",
    lead: "Each encoder is shown the image as an attack on that very encoder changed it. The attacks move pixels so little that the images look alike.",
    content: tables,
  };
}

export interface ShownExample {
  readonly folder: string;
  readonly example: PicturedExample;
}

/** Images of a base, as its encoders see them. */
interface Shown {
  readonly columns: readonly ShownEncoder[];
  readonly rows: readonly (readonly (ShownExample | undefined)[])[];
}

/** Examples that the report shows: those whose pictures must be read. */
export function shownExamples(view: ReportView): readonly ShownExample[] {
  return view.encoders.bases.flatMap(
    (base) =>
      shownOf(base, view)
        ?.rows.flat()
        .filter((one) => one !== undefined) ?? [],
  );
}

/** The first images that most of a base's encoders were shown under one attack. */
function shownOf(base: Base, { groups, encoders }: ReportView): Shown | undefined {
  const columnsOf = ({ examples }: AccuracyGroup): readonly ShownEncoder[] =>
    membersOf(base).filter((member) => examples.some(({ example }) => encoders.of(example.encoder) === member));
  const [best] = groups.toSorted((a, b) => columnsOf(b).length - columnsOf(a).length);
  const columns = best ? columnsOf(best) : [];
  if (!best || columns.length === 0) return undefined;
  const own = best.examples.filter(({ example }) => columns.includes(encoders.of(example.encoder)));
  const images = [...new Set(own.map(({ example }) => JSON.stringify([example.image, example.attack])))];
  const rows = images.map((key) =>
    columns.map((column) =>
      own.find(
        ({ example }) =>
          encoders.of(example.encoder) === column && JSON.stringify([example.image, example.attack]) === key,
      ),
    ),
  );
  const full = rows.toSorted((a, b) => b.filter(Boolean).length - a.filter(Boolean).length);
  return { columns, rows: full.slice(0, encoders.bases.length > 1 ? maxRowsEach : maxRows) };
}

function heading(base: Base, view: ReportView): readonly string[] {
  const name = baseHeading(base, view);
  return name === "" ? [] : [subheading(name)];
}

function table({ columns, rows }: Shown, tiles: Tiles, place: number): readonly string[] {
  const head = ["image", ...columns.map((column) => nameCell(column).html)]
    .map((cell) => `<th scope="col">${cell}</th>`)
    .join("");
  const body = rows.map((row) => {
    const [first] = row.filter((one) => one !== undefined);
    const clean = first && tiles.get(first);
    const { label = "", image = "" } = first?.example ?? {};
    const title = `${clean ? embeddedImage("webp", clean.clean, `${label}: the clean image (${image})`) : ""}${escapeHtml(label)}`;
    return `<tr><th scope="row">${title}</th>${row.map((one) => `<td>${cell(one, tiles)}</td>`).join("")}</tr>`;
  });
  const all = rows.flat().filter((one) => one !== undefined);
  const id = `differences-${place}`;
  return [
    "<div>",
    `<input type="checkbox" class="toggle" id="${id}"><label for="${id}">Show differences, ${escapeHtml(amplifications(all))}</label>`,
    scrolling(
      `<table class="see"><thead><tr>${head}</tr></thead><tbody>${body.join("\n")}</tbody></table>`,
      "Attacked images by encoder",
    ),
    "</div>",
    note(
      `Attack: ${[...new Set(all.map(({ example }) => example.attack))].join(", ")}. The first ${rows.length} images of a balanced draw, not chosen for what they show. ` +
        "A difference of mid-grey is none.",
    ),
  ];
}

function cell(shown: ShownExample | undefined, tiles: Tiles): string {
  if (!shown) return "-";
  const { label, predictedClean, predictedPerturbed } = shown.example;
  const tile = tiles.get(shown);
  const pictures = tile
    ? embeddedImage("webp", tile.perturbed, `${label}, attacked: taken for ${predictedPerturbed}`) +
      `<span class="difference">${embeddedImage("webp", tile.difference, `${label}: the difference, amplified`)}</span>`
    : "";
  return `${pictures}${prediction(predictedPerturbed, label)}<br><small class="about">clean ${predictedClean === label ? sign(true) : prediction(predictedClean, label)}</small>`;
}

/** Told by sign, by colour and to a screen reader. */
function prediction(name: string, label: string): string {
  const right = name === label;
  return `${sign(right)} <span class="${right ? "right" : "wrong"}">${escapeHtml(name)}</span>`;
}

function sign(right: boolean): string {
  const word = right ? "right" : "wrong";
  return `<span class="${word}" role="img" aria-label="${word}">${right ? "✓" : "✗"}</span>`;
}

function amplifications(shown: readonly ShownExample[]): string {
  const factors = shown.map(({ example }) => amplificationOf(example)).filter((one) => one !== undefined);
  if (factors.length === 0) return "the largest drawn black or white";
  const [least, most] = [Math.round(Math.min(...factors)), Math.round(Math.max(...factors))];
  return `amplified ${least === most ? least : `${least} to ${most}`} times`;
}

/** As measured, else from the attack's size: the largest change is drawn black or white. */
function amplificationOf({ amplification, attack }: PicturedExample): number | undefined {
  if (amplification !== undefined) return amplification;
  const size = / ([\d.]+)(?:\/(\d+))?$/.exec(attack);
  return size ? 1 / (2 * (Number(size[1]) / Number(size[2] ?? 1))) : undefined;
}
