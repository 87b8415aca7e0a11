"""How the tear sheet looks, beside what all pages have in common."""

from fluxhero.ink.style import sheet

LIGHT = """
  --gain: #14806a; --loss: #c4542b; --bench: #8a93a1; --kama: #b7791f; --band: #2563c966; --stop: #b3261e;
""".strip()
DARK = """
  --gain: #3fb89b; --loss: #e57f52; --bench: #77818f; --kama: #e0a94a; --band: #6ea3f566; --stop: #ff7a6b;
""".strip()

CSS = sheet(
    LIGHT,
    DARK,
    """
h1 { overflow-wrap: anywhere; } .card, .figure { min-width: 0; } .lead { font-size: 17px; font-weight: 600; }
.lead + p { margin-top: 6px; } .said p { max-width: 110ch; }
.gain { color: var(--gain); } .loss { color: var(--loss); } .year { font-weight: 600; }
.bench { fill: none; stroke: var(--bench); stroke-width: 1.5; } .legend u.bench { background: var(--bench); }
.legend u { height: 3px; vertical-align: 4px; }
.low svg { height: 170px; } .bin.gain { fill: var(--gain); } .bin.loss { fill: var(--loss); }
.half { grid-column: span 6; } .narrow { grid-column: span 5; }
.months { table-layout: fixed; border-collapse: separate; border-spacing: 2px; min-width: 640px; font-size: 13px; }
.months th, .months td { border: 0; padding: 0 4px; text-align: center; height: 30px; }
.months tbody th { text-align: left; } .months td { border-radius: 4px; color: var(--ink); background: var(--track); }
.months td:empty, .months .year { background: none; }
.months .gain { background: color-mix(in oklab, var(--gain) var(--r), var(--card)); }
.months .loss { background: color-mix(in oklab, var(--loss) var(--r), var(--card)); }
.tools { display: flex; flex-wrap: wrap; gap: 8px 16px; align-items: center; margin-bottom: 10px; font-size: 13.5px; }
.tools select, .tools button { font: inherit; color: inherit; background: var(--page); border: 1px solid var(--line);
  border-radius: 6px; padding: 4px 10px; min-height: 32px; }
.tools label { display: inline-flex; gap: 6px; align-items: center; min-height: 32px; }
.tools span { color: var(--over); }
.chart { position: relative; height: 460px; } .shot { display: none; width: 100%; }
.told { position: absolute; z-index: 5; top: 8px; left: 8px; max-width: min(600px, calc(100% - 90px));
  max-height: calc(100% - 50px); overflow: hidden; padding: 8px 12px; font-size: 13px; pointer-events: none;
  background: color-mix(in srgb, var(--card) 92%, transparent); border: 1px solid var(--line); border-radius: 8px;
  font-variant-numeric: tabular-nums; }
.told.aside { left: auto; right: 84px; } .told p + p { margin-top: 4px; overflow-wrap: anywhere; }
.told b { font-weight: 650; } .told p.first { color: var(--soft); white-space: pre-wrap; }
tr[data-chart] { cursor: pointer; } tr[data-chart]:hover td { background: var(--fill); }
.long { max-height: 520px; overflow: auto; } .long thead th { position: sticky; top: 0; background: var(--card); }
.wide { white-space: normal; min-width: 20em; } .trips td:last-child { width: 100%; }
.facts { display: grid; grid-template-columns: auto auto; gap: 6px 24px; font-size: 14px; }
.facts dt { color: var(--soft); } .facts dd { text-align: right; overflow-wrap: anywhere; }
@media (max-width: 1000px) { .half, .narrow { grid-column: 1 / -1; } .chart { height: 400px; } }
@media (max-width: 560px) {
  body { padding: 16px 10px 32px; } .card { padding: 14px 12px; } .figure { padding: 12px 14px; }
  .figure dd { font-size: 20px; } .plot { grid-template-columns: 4.6em minmax(0, 1fr); } .days span:nth-child(even) {
  display: none; } .chart { height: 360px; } .told { max-width: calc(100% - 80px); }
}
@media print {
  .half { grid-column: span 6; } .narrow { grid-column: 1 / -1; } .chart, .tools { display: none; }
  .shot { display: block; } .long { max-height: none; overflow: visible; }
  .months { min-width: 0; } .months th, .months td { height: 24px; padding: 0; }
  table { font-size: 12.5px; } th, td { padding: 4px 5px; }
  .card:has(.long), .card:has(.chart) { break-inside: auto; }
}
""".strip(),
)
