/**
 * What all pages wear. Charts draw with `--c0` ... `--c7`: colours of Okabe and Ito, which people who confuse red and green
 * tell apart, darkened or lightened to at least 3:1 against the ground. On paper it is always light.
 */
export const style = `
:root {
  color-scheme: light; --ground: #fff; --panel: #f5f7f8; --ink: #1b1f23; --muted: #566069; --rule: #cfd6dc; --accent: #00609a;
  --c0: #0072b2; --c1: #d55e00; --c2: #00805d; --c3: #a64b86; --c4: #333; --c5: #a87400; --c6: #3a94cc; --c7: #757500;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    color-scheme: dark; --ground: #14181b; --panel: #1c2226; --ink: #e6eaed; --muted: #a3afb8; --rule: #3a444b; --accent: #7cc4f4;
    --c0: #56b4e9; --c1: #ff8a3d; --c2: #2fc79b; --c3: #e296c2; --c4: #e8e8e8; --c5: #e6b800; --c6: #8aa8ff; --c7: #c8c84a;
  }
}
* { box-sizing: border-box; }
body { font: 1rem/1.55 system-ui, sans-serif; margin: 0; background: var(--ground); color: var(--ink); }
main { max-width: 66rem; margin: 0 auto; padding: 1rem 1rem 4rem; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0.5rem 0; }
h2 { font-size: 1.3rem; margin: 2.75rem 0 0.5rem; padding-top: 0.75rem; border-top: 2px solid var(--rule); overflow-wrap: anywhere; }
h3 { font-size: 1.05rem; margin: 1.5rem 0 0.25rem; overflow-wrap: anywhere; }
p { max-width: 46rem; margin: 0.5rem 0; overflow-wrap: anywhere; }
a { color: var(--accent); }
.note, figcaption, summary { color: var(--muted); font-size: 0.9rem; }
nav ul { list-style: none; display: flex; flex-wrap: wrap; gap: 0.25rem 1.25rem; margin: 0.75rem 0; padding: 0; }
nav li { max-width: 100%; overflow-wrap: anywhere; }
.wide { overflow-x: auto; margin: 0.5rem 0; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 0.93rem; }
th, td { padding: 0.3rem 0.75rem; border-bottom: 1px solid var(--rule); text-align: right; vertical-align: top; }
th { font-weight: 600; }
tbody th { font-weight: 400; }
td { white-space: nowrap; }
tr > :first-child { text-align: left; padding-left: 0; min-width: 7rem; }
tr.apart > * { color: var(--muted); font-style: italic; }
tr.group > th { font-weight: 600; padding-top: 1rem; }
@media screen and (max-width: 30rem) { table { font-size: 0.85rem; } th, td { padding: 0.3rem 0.4rem; } tr > :first-child { min-width: 5.5rem; } }
th.text { text-align: left; }
td.text { white-space: normal; text-align: left; min-width: 12rem; }
.warning { border-left: 4px solid var(--c1); padding: 0.4rem 0.75rem; background: var(--panel); }
.grid { display: grid; gap: 1.25rem 1.5rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); align-items: start; }
.grid.small { gap: 0.75rem; grid-template-columns: repeat(auto-fill, minmax(min(100%, 13rem), 1fr)); }
.grid.pictures { grid-template-columns: repeat(auto-fill, minmax(min(100%, 15rem), 1fr)); }
@media (min-width: 54rem) { .tall { grid-row: span 3; } }
figure { margin: 0; min-width: 0; max-width: 34rem; }
figure h3, figure h4 { margin: 0 0 0.25rem; font-size: 1rem; overflow-wrap: anywhere; }
figure h4 { font-size: 0.85rem; font-weight: 500; }
figure svg { display: block; width: 100%; height: auto; }
figcaption { overflow-wrap: anywhere; }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: 0.2rem 1.25rem; margin: 0.75rem 0; padding: 0; font-size: 0.93rem; }
.legend li { display: flex; align-items: center; gap: 0.5rem; min-width: 0; overflow-wrap: anywhere; }
.legend svg { flex: none; }
img { display: block; max-width: 100%; height: auto; background: #fff; image-rendering: pixelated; }
figure img { width: 100%; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; padding: 0.75rem; border: 1px solid var(--rule); border-radius: 4px; background: var(--panel); font-size: 0.85rem; }
details { margin: 0.4rem 0; }
summary { cursor: pointer; }
@page { margin: 15mm; }
@media print {
  main { max-width: none; padding: 0; }
  body { font-size: 10pt; }
  nav { display: none; }
  figure, tr, img, .legend { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
  .wide { overflow: visible; }
  table { font-size: 8pt; }
  th, td { padding: 0.2rem 0.4rem; }
  .grid { grid-template-columns: 1fr 1fr; }
  .grid.small, .grid.pictures { grid-template-columns: repeat(3, 1fr); }
}
`;

/** The style's colours on paper, by name. */
export const paperColours: ReadonlyMap<string, string> = new Map(
  [...style.slice(0, style.indexOf("@media")).matchAll(/(--\w+): (#[0-9a-f]+)/g)].map(([, name, value]) => [
    name!,
    value!,
  ]),
);
