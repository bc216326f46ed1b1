import { formatEpsilon } from "../../epsilon.ts";
import { chance, overWhat, resultOf } from "../accuracies.ts";
import { attackWithBound, sizeWords } from "../attack-words.ts";
import { commandsFor } from "../commands.ts";
import type { Base } from "../encoders.ts";
import { command, escapeHtml, type Part } from "../page.ts";
import { percent, percentWithin, pointsWithin } from "../table.ts";
import type { Badge, Change, Comparison, Verdict } from "../verdict.ts";
import { evaluationsOf, headlineOf, type ReportView } from "../view.ts";

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
  const [first, ...others] = verdicts;
  const lines =
    first === undefined
      ? aloneLines(base, view)
      : [
          `<p class="answer">${badge(first.badge)} ${sentence(first)}</p>`,
          ...(first.found
            ? [`<p class="note">${escapeHtml(basis(first.found))}</p>`]
            : [command(commandsFor(base, view).accuracy)]),
          ...(others.length === 0
            ? []
            : [
                `<ul>${others.map((one) => `<li>${badge(one.badge)}<p>${sentence(one, first.found)}</p></li>`).join("\n")}</ul>`,
              ]),
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

/** @param above the comparison of the line above, the conditions of which are not said again */
function sentence({ encoder, badge, found }: Verdict, above?: Comparison): string {
  const name = `<strong>${escapeHtml(encoder.short)}</strong>`;
  const method = encoder.run ? ` <span class="about">${escapeHtml(encoder.method)}</span>` : "";
  if (!found) {
    const trained = encoder.epsilon === undefined ? "" : ` It was trained at ±${formatEpsilon(encoder.epsilon)}.`;
    return `${name}${method}: nothing was measured on it and its original alike.${trained}`;
  }
  const { robust, clean, group } = found;
  const same = above && above.group === group && above.attack.attack === found.attack.attack;
  const below =
    robust.after < chance(group) && badge === "more robust" ? ` Guessing reaches ${percent(chance(group))}.` : "";
  const collapsed = badge === "collapsed" ? ` It does no better than guessing (${percent(chance(group))}).` : "";
  return (
    `${name}${method}: at ${escapeHtml(sizeWords(found.attack))} ${changed(robust)}; clean ${changed(clean)}.${below}${collapsed}` +
    (same || !above ? "" : ` <span class="about">${escapeHtml(basis(found))}</span>`)
  );
}

function changed({ before, after, interval }: Change): string {
  return (
    `${percent(before).replace(" %", "")} → <strong>${percent(after)}</strong> ` +
    `<span class="interval">(${pointsWithin(after - before, interval)})</span>`
  );
}

function basis({ group, attack, robust }: Comparison): string {
  const how =
    robust.p === undefined
      ? "unpaired (Newcombe), since the images were not compared one by one"
      : `paired, image by image (McNemar's p ${robust.p < 0.001 ? "< 0.001" : `= ${robust.p.toFixed(3)}`} under attack)`;
  return (
    `${overWhat(group)}; ${attackWithBound(attack.attack, group.settings)}. ` +
    `In brackets: points gained or lost and their 95 % interval, ${how}.`
  );
}
