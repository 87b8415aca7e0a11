"""How the risk report's page looks: light and dark, wide and narrow, on screen and on paper."""

LIGHT = """
  --page: #f6f7f9; --card: #ffffff; --line: #e3e6eb; --track: #e9ecf1; --ink: #14181f; --soft: #59616e;
  --series: #2563c9; --fill: #2563c91f; --gap: #9dbcf0; --broken: #c4291c; --over: #a85f00; --within: #1f7a45;
  --broken-wash: #fdeceA; --over-wash: #fdf3e1; --within-wash: #e8f5ed; --plus: #c65a2e; --minus: #2f6fb7;
""".strip()
DARK = """
  --page: #0f1216; --card: #171b21; --line: #2a3038; --track: #262c35; --ink: #e8ebf0; --soft: #9aa4b2;
  --series: #6ea3f5; --fill: #6ea3f524; --gap: #35507e; --broken: #ff7a6b; --over: #f0b14a; --within: #5cc98a;
  --broken-wash: #3a1c1a; --over-wash: #352a14; --within-wash: #15301f; --plus: #d9784e; --minus: #5590d6;
""".strip()

CSS = (
    """
:root { color-scheme: light dark; LIGHT }
@media screen and (prefers-color-scheme: dark) { :root { DARK } }
* { box-sizing: border-box; margin: 0; }
body { background: var(--page); color: var(--ink); padding: 32px clamp(16px, 3vw, 40px) 48px;
  font: 15px/1.45 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans", sans-serif; }
main { max-width: 1320px; margin: 0 auto; display: grid; gap: 16px; grid-template-columns: repeat(12, minmax(0, 1fr)); }
main > * { grid-column: 1 / -1; min-width: 0; }
header { display: flex; flex-wrap: wrap; align-items: baseline; gap: 4px 16px; }
h1 { font-size: 24px; font-weight: 650; letter-spacing: -0.01em; }
h2 { font-size: 15px; font-weight: 650; margin-bottom: 4px; }
header p, .note, footer { color: var(--soft); }
.note { font-size: 13px; margin-bottom: 14px; max-width: 80ch; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 18px 20px; }
.chip { font-size: 12.5px; font-weight: 650; letter-spacing: 0.03em; padding: 2px 9px; border-radius: 99px;
  border: 1px solid currentColor; }
.broken { color: var(--broken); } .over { color: var(--over); } .within { color: var(--within); }
.verdict { border-radius: 10px; padding: 14px 20px; color: var(--ink); border-left: 5px solid; }
.verdict.broken { background: var(--broken-wash); border-color: var(--broken); }
.verdict.over { background: var(--over-wash); border-color: var(--over); }
.verdict.within { background: var(--within-wash); border-color: var(--within); }
.verdict strong { font-size: 17px; } .verdict ul { list-style: none; padding: 0; margin-top: 6px; columns: 2 380px; }
.verdict li { break-inside: avoid; display: flex; gap: 10px; padding: 1px 0; }
.verdict li b { flex: 0 0 62px; font-size: 12.5px; line-height: 21px; font-weight: 650; }
.figures { display: grid; gap: 1px; grid-template-columns: repeat(4, minmax(0, 1fr)); background: var(--line);
  border: 1px solid var(--line); border-radius: 10px; overflow: hidden; }
.figure { background: var(--card); padding: 14px 20px; }
.figure dt { color: var(--soft); font-size: 13px; }
.figure dd { font-size: 24px; font-weight: 600; letter-spacing: -0.015em; line-height: 1.3; }
.figure dd + dd { font-size: 13px; font-weight: 400; letter-spacing: 0; color: var(--soft); }
dd, td, .row span, .axis, .legend { font-variant-numeric: tabular-nums; }
.left { grid-column: span 7; } .right { grid-column: span 5; display: grid; gap: 16px; align-content: start; }
.row { display: grid; align-items: center; gap: 2px 14px; padding: 7px 0; }
.row + .row { border-top: 1px solid var(--line); }
.limit { grid-template-columns: 8.5em minmax(0, 1fr) 12.5em 3.6em; }
.limit i { grid-column: 2 / -1; font-style: normal; font-size: 12.5px; color: var(--soft); }
.stake { grid-template-columns: 5.5em minmax(0, 1fr) 15em; }
.row > span:last-of-type, .num { text-align: right; }
.limit small { display: inline-block; min-width: 7.2em; }
.limit em { font-size: 12.5px; font-weight: 650; font-style: normal; text-align: right; }
small { font-size: 12.5px; color: var(--soft); font-weight: 400; } td small { display: block; line-height: 1.25; }
.track { position: relative; height: 14px; background: var(--track); border-radius: 3px; }
.track u { position: absolute; inset: 0 auto 0 0; border-radius: 3px; background: var(--series); min-width: 2px; }
.track u.zero { display: none; }
.track u.gap { background: var(--gap); }
.track u.over { background: var(--over); } .track u.broken { background: var(--broken); }
.track s { position: absolute; top: -3px; bottom: -3px; left: 80%; width: 2px; background: var(--ink); }
.legend { display: flex; flex-wrap: wrap; gap: 4px 18px; font-size: 13px; color: var(--soft); margin-bottom: 8px; }
.legend u { display: inline-block; width: 12px; height: 12px; border-radius: 3px; margin-right: 6px;
  vertical-align: -1px; background: var(--series); }
.legend u.gap { background: var(--gap); } .legend u.broken { background: var(--broken); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
th { text-align: left; color: var(--soft); font-weight: 500; font-size: 13px; white-space: nowrap; }
th.num { text-align: right; }
th, td { padding: 7px 10px; border-bottom: 1px solid var(--line); white-space: nowrap; }
th:first-child, td:first-child { padding-left: 0; } th:last-child, td:last-child { padding-right: 0; }
tfoot td { font-weight: 600; border-bottom: 0; }
.heat { table-layout: fixed; border-collapse: separate; border-spacing: 2px; max-width: 620px; }
.heat th, .heat td { border: 0; padding: 0; text-align: center; height: clamp(30px, 3.4vw, 44px); font-size: 13px; }
.heat tbody th { text-align: left; } .heat td { border-radius: 4px; color: var(--ink); background: var(--track); }
.heat .self { background: transparent; color: var(--soft); }
.heat .plus { background: color-mix(in oklab, var(--plus) var(--r), var(--card)); }
.heat .minus { background: color-mix(in oklab, var(--minus) var(--r), var(--card)); }
.plot { display: grid; grid-template-columns: 6.5em minmax(0, 1fr); gap: 0 10px; }
.axis { position: relative; font-size: 12.5px; color: var(--soft); }
.axis span { position: absolute; right: 0; transform: translateY(-50%); white-space: nowrap; }
.days { grid-column: 2; height: 20px; margin-top: 6px; }
.days span { right: auto; transform: translateX(-50%); top: 0; }
.days span:first-child { transform: none; } .days span:last-child { transform: translateX(-100%); }
.canvas { position: relative; } svg { display: block; width: 100%; overflow: visible; }
.equity svg { height: 240px; } .drawdown svg { height: 130px; } .drawdown { margin-top: 22px; }
svg * { vector-effect: non-scaling-stroke; }
.grid { stroke: var(--line); stroke-width: 1; } .curve { fill: none; stroke: var(--series); stroke-width: 2; }
.area { fill: var(--fill); } .bound { stroke-width: 1.5; stroke-dasharray: 5 4; }
.bound.over { stroke: var(--over); } .bound.broken { stroke: var(--broken); }
.hover { fill: transparent; } .hover:hover { fill: var(--fill); }
.none { color: var(--soft); }
footer { font-size: 13px; max-width: 110ch; } footer p + p { margin-top: 4px; }
@media (max-width: 1000px) {
  .left, .right { grid-column: 1 / -1; } .figures { grid-template-columns: repeat(2, minmax(0, 1fr)); }
  th, td { padding: 7px 6px; } .heat { max-width: none; }
}
@media (max-width: 560px) {
  .limit, .stake { grid-template-columns: 1fr auto; } .row .track { grid-column: 1 / -1; order: 3; }
  .limit em { display: none; } .limit i { order: 4; grid-column: 1 / -1; } .figure { padding: 12px 14px; }
}
@media print {
  @page { size: A4 portrait; margin: 12mm; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  body { background: none; padding: 0; } main { zoom: 0.72; gap: 12px; }
  .left, .right { grid-column: 1 / -1; } .figures { grid-template-columns: repeat(4, minmax(0, 1fr)); }
  .figure, .card { padding: 10px 14px; } .row, th, td { padding-block: 4px; } .scroll { overflow: visible; }
  .heat { max-width: none; } .heat th, .heat td { height: 28px; padding: 0; } .equity svg { height: 200px; }
  .card, .verdict, .figures, .row, tr { break-inside: avoid; }
}
""".replace("LIGHT", LIGHT)
    .replace("DARK", DARK)
    .strip()
)
