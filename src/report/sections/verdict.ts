import { chance, overWhat, resultOf } from "../accuracies.ts";
import { attackWithBound, sizeWords } from "../attack-words.ts";
import { commandsFor } from "../commands.ts";
import type { Base } from "../encoders.ts";
import { command, escapeHtml, type Part } from "../page.ts";
import { percent, percentWithin, pointsWithin } from "../table.ts";
import type { Badge, Change, Comparison, Verdict } from "../verdict.ts";
import { evaluationsOf, headlineOf, nameCell, type ReportView } from "../view.ts";

/** Is it more robust, by how much, and how sure: a card a base encoder. */
export function verdictPart(view: ReportView): Part {
  return {
    heading: "Is it more robust?",
    link: "Verdict",
    content: view.encoders.bases.map((base) => card(base, view)),
  };
}

const tones: Readonly<Record<Badge, string>> = {
  "more robust": "good",
  "less robust": "bad",
  "not distinguishable": "",
  collapsed: "bad",
  "not measured": "",
};

export function badge(text: Badge): string {
  return `<span class="badge ${tones[text]}">${text}</span>`;
}

function card(base: Base, view: ReportView): string {
  const verdicts = view.verdicts.get(base) ?? [];
  const [first] = verdicts;
  const lines =
    first === undefined
      ? aloneLines(base, view)
      : first.found === undefined
        ? [
            `<p class="answer">${badge(first.badge)} No encoder trained from it was measured beside it.</p>`,
            command(commandsFor(base, view).accuracy),
          ]
        : [
            `<p class="answer">${badge(first.badge)} ${answer(base, first, first.found)}</p>`,
            ...(verdicts.length === 1
              ? []
              : [`<ul>${verdicts.map((one) => `<li>${line(one, first.found)}</li>`).join("\n")}</ul>`]),
            `<p class="note">${escapeHtml(basis(first.found))}</p>`,
          ];
  return `<article class="card">\n<h3>${escapeHtml(base.original.short)}</h3>\n${lines.join("\n")}\n</article>`;
}

/** An original of which nothing was trained that the report knows. */
function aloneLines(base: Base, view: ReportView): readonly string[] {
  const found = headlineOf(base, view);
  const [own] = found ? evaluationsOf(base, found.group, view.encoders) : [];
  const result = found && own && resultOf(own, found.attack);
  const figures =
    found && own && result
      ? `<strong>${percent(own.clean)}</strong> clean, <strong>${percentWithin(result.accuracy, own.images)}</strong> under ${escapeHtml(`${sizeWords(result)}, ${attackWithBound(result.attack, found.group.settings)}`)}, ${escapeHtml(overWhat(found.group))}. `
      : "";
  return [
    `<p class="answer">${badge("not measured")} ${figures}No encoder trained from it is in this report.</p>`,
    command(commandsFor(base, view).train),
  ];
}

/** The first verdict in words for someone new to all of this. */
function answer(base: Base, { encoder, badge }: Verdict, { robust, clean, group, attack }: Comparison): string {
  const [name, original] = [encoder, base.original].map(({ short }) => `<strong>${escapeHtml(short)}</strong>`);
  const guessing = percent(chance(group));
  const more =
    badge === "collapsed"
      ? ` It lost most of what it could tell apart: guessing reaches ${guessing}.`
      : badge === "more robust" && robust.after < chance(group)
        ? ` That is still less than guessing would reach (${guessing}).`
        : "";
  return unbroken(
    `When each pixel may move by ${escapeHtml(sizeWords(attack))}, ${name} is right on <strong>${percent(robust.after)}</strong> ` +
      `of the images and its original, ${original}, on ${percent(robust.before)}: ${interval(robust)} points. ` +
      `On clean images it is right on ${percent(clean.after)} instead of ${percent(clean.before)}: ${interval(clean)}.${more}`,
  );
}

/** @param first the comparison that the card is about, whose conditions are not said again */
function line({ encoder, badge: text, found }: Verdict, first?: Comparison): string {
  const name = `<div>${nameCell(encoder).html} <span class="about">${escapeHtml(encoder.method)}</span></div>`;
  if (!found) return `<div>${badge(text)}</div>${name}<div class="about">not measured beside its original</div>`;
  const isSame =
    first?.group === found.group &&
    first.attack.attack === found.attack.attack &&
    (first.robust.p === undefined) === (found.robust.p === undefined);
  const figures = [
    `${escapeHtml(sizeWords(found.attack))}: ${changed(found.robust)}`,
    `clean: ${changed(found.clean)}`,
  ];
  return (
    `<div>${badge(text)}</div>${name}${figures.map((one) => `<div>${unbroken(one)}</div>`).join("")}` +
    (isSame ? "" : `<div class="about conditions">${escapeHtml(basis(found))}</div>`)
  );
}

function changed(change: Change): string {
  return `${percent(change.before).replace(" %", "")} → <strong>${percent(change.after)}</strong> <span class="change">${interval(change)}</span>`;
}

function interval({ before, after, interval }: Change): string {
  const [difference, ...rest] = pointsWithin(after - before, interval).split(" ");
  return `${difference} <span class="interval">${rest.join(" ")}</span>`;
}

/** Numbers stay with their percent signs, and intervals whole. */
function unbroken(html: string): string {
  return html.replaceAll(" %", "\u00a0%").replace(/\[([^\]]*)\]/g, (whole) => whole.replaceAll(" ", "\u00a0"));
}

function basis({ group, attack, robust }: Comparison): string {
  const how =
    robust.p === undefined
      ? "unpaired (Newcombe), since the images were not compared one by one"
      : `paired, image by image (McNemar's p ${robust.p < 0.001 ? "< 0.001" : `= ${robust.p.toFixed(3)}`} under attack)`;
  return (
    `${overWhat(group)}; ${attackWithBound(attack.attack, group.settings)}. ` +
    `In square brackets: the 95 % interval of the points gained or lost, ${how}.`
  );
}
