/**
 * The style of all pages. Charts draw with `--c0` ... `--c7`: colours of Okabe and Ito, which people who confuse red and green
 * tell apart, darkened or lightened to at least 3:1 against the ground. On paper it is always light.
 */
export const style = `
:root {
  color-scheme: light; --ground: #fff; --panel: #f5f7f8; --ink: #1b1f23; --muted: #566069; --rule: #d5dbe0; --accent: #00609a;
  --c0: #0072b2; --c1: #d55e00; --c2: #00805d; --c3: #a64b86; --c4: #4a4f54; --c5: #a87400; --c6: #3a94cc; --c7: #757500;
  --good: #006b4a; --good-ground: #dff3ea; --bad: #a32a00; --bad-ground: #fdeae2; --plain-ground: #e9edf0; --shade: rgb(0 0 0 / 0.22);
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    color-scheme: dark; --ground: #14181b; --panel: #1c2226; --ink: #e6eaed; --muted: #a3afb8; --rule: #333d44; --accent: #7cc4f4;
    --c0: #56b4e9; --c1: #ff8a3d; --c2: #2fc79b; --c3: #e296c2; --c4: #c9ced2; --c5: #e6b800; --c6: #8aa8ff; --c7: #c8c84a;
    --good: #6fe0b5; --good-ground: #12382b; --bad: #ffab85; --bad-ground: #43231a; --plain-ground: #2a3238; --shade: rgb(0 0 0 / 0.65);
  }
}
* { box-sizing: border-box; }
body { font: 1rem/1.5 system-ui, sans-serif; margin: 0; background: var(--ground); color: var(--ink); }
main { max-width: 68rem; margin: 0 auto; padding: 1.25rem 1rem 4rem; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 0.25rem; letter-spacing: -0.01em; }
h2 { font-size: 1.3rem; line-height: 1.25; margin: 2.5rem 0 0.4rem; padding-top: 1rem; border-top: 1px solid var(--rule); overflow-wrap: anywhere; }
h3 { font-size: 1.05rem; line-height: 1.3; margin: 1.25rem 0 0.25rem; overflow-wrap: anywhere; }
h4 { font-size: 0.95rem; margin: 0; }
p { max-width: 46rem; margin: 0.4rem 0; overflow-wrap: anywhere; }
a { color: var(--accent); }
code { font: 0.9em ui-monospace, monospace; overflow-wrap: anywhere; }
th code { white-space: nowrap; }
.note, figcaption, .about { color: var(--muted); font-size: 0.88rem; }
nav ul { list-style: none; display: flex; flex-wrap: wrap; gap: 0.15rem 1.1rem; margin: 0.5rem 0 0; padding: 0; font-size: 0.93rem; }
section:first-of-type h2 { margin-top: 0.75rem; border: 0; padding-top: 0; }
/* What scrolls has a shadow at each edge behind which there is more: the ground scrolls along and covers it at the ends. */
.wide {
  overflow-x: auto; margin: 0.5rem 0;
  background: linear-gradient(to right, var(--ground) 30%, transparent) left / 2.5rem 100% no-repeat local,
    linear-gradient(to left, var(--ground) 30%, transparent) right / 2.5rem 100% no-repeat local,
    linear-gradient(to right, var(--shade), transparent) left / 0.8rem 100% no-repeat scroll,
    linear-gradient(to left, var(--shade), transparent) right / 0.8rem 100% no-repeat scroll;
}
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 0.93rem; }
th, td { padding: 0.35rem 0.75rem; border-bottom: 1px solid var(--rule); text-align: right; vertical-align: top; }
thead th { color: var(--muted); font-weight: 500; font-size: 0.88rem; vertical-align: bottom; }
tbody th { font-weight: 400; }
td { white-space: nowrap; }
tr > :first-child { text-align: left; padding-left: 0; min-width: 7rem; }
tr.apart > * { color: var(--muted); font-style: italic; }
tr.group > th { font-weight: 600; padding-top: 1rem; }
tr.group > th > span { position: sticky; left: 0; display: inline-block; max-width: calc(100vw - 2rem); }
th.text { text-align: left; }
td.text { white-space: normal; text-align: left; min-width: 10rem; }
td small, .interval { color: var(--muted); font-size: 0.86em; }
.name { display: inline-flex; align-items: center; gap: 0.4rem; white-space: nowrap; }
.name svg { flex: none; }
.badge { display: inline-block; padding: 0.05rem 0.6rem; border-radius: 1rem; font-size: 0.85rem; font-weight: 600; white-space: nowrap; background: var(--plain-ground); color: var(--ink); }
.badge.good { background: var(--good-ground); color: var(--good); }
.badge.bad { background: var(--bad-ground); color: var(--bad); }
.bar { display: inline-block; width: 4.5rem; height: 0.55rem; border-radius: 2px; background: var(--plain-ground); vertical-align: baseline; overflow: hidden; }
.bar + span { display: inline-block; margin-left: 0.3rem; min-width: 4rem; }
.bar > span { display: block; height: 100%; background: var(--c0); }
.right { color: var(--good); font-weight: 600; }
.wrong { color: var(--bad); font-weight: 600; }
.warning { border-left: 4px solid var(--c1); padding: 0.4rem 0.75rem; background: var(--panel); }
.card { border: 1px solid var(--rule); border-radius: 8px; padding: 0.9rem 1.1rem; background: var(--panel); margin: 0.75rem 0; }
.card h3 { margin: 0 0 0.35rem; }
.card .answer { font-size: 1.15rem; line-height: 1.5; margin: 0.3rem 0; max-width: none; }
.card ul { list-style: none; margin: 0.6rem 0 0; padding: 0; }
.card li { padding: 0.4rem 0; border-top: 1px solid var(--rule); display: grid; grid-template-columns: 10.5rem minmax(10rem, 1fr) 13.5rem 13.5rem; gap: 0.1rem 0.75rem; align-items: baseline; font-size: 0.95rem; font-variant-numeric: tabular-nums; }
.card li > div { min-width: 0; overflow-wrap: anywhere; }
.card li > .conditions { grid-column: 2 / -1; }
.card li .about { display: block; margin-left: 2.65rem; }
.card li .change { display: inline-block; white-space: nowrap; }
.grid { display: grid; gap: 1.25rem 2rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); align-items: start; }
.grid.small { gap: 0.75rem 1.5rem; grid-template-columns: repeat(auto-fill, minmax(min(100%, 15rem), 1fr)); }
figure { margin: 0; min-width: 0; max-width: 36rem; }
figure h3, figure h4 { margin: 0 0 0.25rem; font-size: 1rem; overflow-wrap: anywhere; }
figure h4 { font-size: 0.85rem; font-weight: 500; }
figure svg { display: block; width: 100%; height: auto; }
figcaption { overflow-wrap: anywhere; }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: 0.2rem 1.25rem; margin: 0.5rem 0; padding: 0; font-size: 0.93rem; }
.legend li { display: flex; align-items: center; gap: 0.5rem; min-width: 0; overflow-wrap: anywhere; }
.legend svg { flex: none; }
img { display: block; max-width: 100%; height: auto; background: #fff; image-rendering: pixelated; }
figure img { width: 100%; }
table.see { font-size: 0.88rem; table-layout: fixed; width: max-content; }
table.see th, table.see td { text-align: left; padding: 0.35rem 0.5rem 0.5rem 0; border: 0; white-space: normal; line-height: 1.35; vertical-align: top; min-width: 0; }
table.see thead th { font-size: 0.88rem; }
table.see img { width: 7.5rem; height: 7.5rem; object-fit: cover; border-radius: 4px; margin-bottom: 0.2rem; }
table.see th, table.see td { width: 9rem; overflow-wrap: anywhere; }
table.see .name { white-space: normal; align-items: start; }
.toggle { margin: 0 0.4rem 0 0; }
.toggle:not(:checked) ~ .wide .difference { display: none; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; padding: 0.6rem 0.75rem; margin: 0.5rem 0; border: 1px solid var(--rule); border-radius: 6px; background: var(--panel); font-size: 0.82rem; line-height: 1.45; }
.card pre { background: var(--ground); }
details { margin: 0.4rem 0; }
summary { cursor: pointer; color: var(--muted); font-size: 0.9rem; }
.fold { border-bottom: 1px solid var(--rule); margin: 0; padding: 0.5rem 0; }
.fold > summary { font-size: 0.9rem; }
.fold > summary h3 { display: inline; margin: 0; color: var(--ink); }
.fold > summary span { margin-left: 0.4rem; }
dl.glossary { margin: 0.5rem 0; max-width: 52rem; display: grid; grid-template-columns: minmax(7rem, max-content) 1fr; gap: 0.3rem 1.25rem; }
dt { font-weight: 600; }
dd { margin: 0; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
@media screen and (max-width: 62rem) { .card li { grid-template-columns: 10.5rem 1fr; } .card li > div:nth-child(n + 3) { grid-column: 2; } }
@media screen and (max-width: 36rem) {
  main { padding-top: 0.75rem; }
  h1 { font-size: 1.4rem; }
  h2 { margin-top: 1.75rem; font-size: 1.2rem; }
  .card li { display: block; } .card li .about { margin-left: 0; }
  .card { padding: 0.7rem 0.8rem; }
  .card .answer { font-size: 1.05rem; }
  table { font-size: 0.85rem; } th, td { padding: 0.3rem 0.5rem; } tr > :first-child { min-width: 5.5rem; }
  .bar { display: none; }
  table.see { font-size: 0.8rem; }
  table.see img { width: 4.6rem; height: 4.6rem; }
  table.see th, table.see td { width: 5.4rem; min-width: 0; }
  table.see .name { flex-direction: column; gap: 0; }
  dl.glossary { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: 0.5rem; }
}
@page { margin: 14mm; }
@media print {
  main { max-width: none; padding: 0; }
  body { font-size: 9.5pt; }
  nav, .toggle, .toggle + label { display: none; }
  .toggle:not(:checked) ~ .wide .difference { display: block; }
  figure, tr, img, .legend, .card li { break-inside: avoid; }
  h2, h3, summary { break-after: avoid; }
  .card li { font-size: 8.5pt; grid-template-columns: 7.5rem minmax(0, 1fr) 9.5rem 9.5rem; }
  .card li .about { margin-left: 0; }
  .card .answer { font-size: 11pt; }
  .badge { font-size: 8pt; }
  .wide { overflow: visible; background: none; }
  table { font-size: 8pt; max-width: 100%; }
  th, td, thead th { padding: 0.2rem 0.35rem; font-size: inherit; white-space: normal; overflow-wrap: anywhere; min-width: 0; }
  tr > :first-child, td.text { min-width: 4.5rem; }
  td small { white-space: nowrap; }
  .note, figcaption, .about, summary { font-size: 8.5pt; }
  .grid { grid-template-columns: 1fr 1fr; }
  .grid.small { grid-template-columns: repeat(3, 1fr); }
  table.see img { width: 5rem; height: 5rem; }
  details::details-content { content-visibility: visible; block-size: auto; }
  summary { list-style: none; }
}
`;

/** The style's colours on paper, by name. */
export const paperColours: ReadonlyMap<string, string> = new Map(
  [...style.slice(0, style.indexOf("@media")).matchAll(/(--\w+): (#[0-9a-f]+)/g)].map(([, name, value]) => [
    name!,
    value!,
  ]),
);
