"""How the pages look: light and dark, wide and narrow, on screen and on paper."""

LIGHT = """
  --page: #f6f7f9; --card: #ffffff; --line: #e3e6eb; --track: #e9ecf1; --ink: #14181f; --soft: #59616e;
  --series: #2563c9; --fill: #2563c91f; --broken: #c4291c; --over: #a85f00; --within: #1f7a45;
""".strip()
DARK = """
  --page: #0f1216; --card: #171b21; --line: #2a3038; --track: #262c35; --ink: #e8ebf0; --soft: #9aa4b2;
  --series: #6ea3f5; --fill: #6ea3f524; --broken: #ff7a6b; --over: #f0b14a; --within: #5cc98a;
""".strip()

CSS = """
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
.figures { display: grid; gap: 1px; grid-template-columns: repeat(4, minmax(0, 1fr)); background: var(--line);
  border: 1px solid var(--line); border-radius: 10px; overflow: hidden; }
.figure { background: var(--card); padding: 14px 20px; }
.figure dt { color: var(--soft); font-size: 13px; }
.figure dd { font-size: 24px; font-weight: 600; letter-spacing: -0.015em; line-height: 1.3; }
.figure dd + dd { font-size: 13px; font-weight: 400; letter-spacing: 0; color: var(--soft); }
dd, td, .axis, .legend { font-variant-numeric: tabular-nums; }
.left { grid-column: span 7; } .right { grid-column: span 5; display: grid; gap: 16px; align-content: start; }
.num { text-align: right; }
small { font-size: 12.5px; color: var(--soft); font-weight: 400; } td small { display: block; line-height: 1.25; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 18px; font-size: 13px; color: var(--soft); margin-bottom: 8px; }
.legend u { display: inline-block; width: 12px; height: 12px; border-radius: 3px; margin-right: 6px;
  vertical-align: -1px; background: var(--series); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
th { text-align: left; color: var(--soft); font-weight: 500; font-size: 13px; white-space: nowrap; }
th.num { text-align: right; }
th, td { padding: 7px 10px; border-bottom: 1px solid var(--line); white-space: nowrap; }
th:first-child, td:first-child { padding-left: 0; } th:last-child, td:last-child { padding-right: 0; }
.plot { display: grid; grid-template-columns: 6.5em minmax(0, 1fr); gap: 0 10px; }
.axis { position: relative; font-size: 12.5px; color: var(--soft); }
.axis span { position: absolute; right: 0; transform: translateY(-50%); white-space: nowrap; }
.days { grid-column: 2; height: 20px; margin-top: 6px; }
.days span { right: auto; transform: translateX(-50%); top: 0; }
.days span:first-child { transform: none; } .days span:last-child { transform: translateX(-100%); }
.days span:only-child { transform: none; }
.canvas { position: relative; } svg { display: block; width: 100%; overflow: visible; }
.equity svg { height: 240px; } .drawdown svg { height: 130px; } .drawdown { margin-top: 22px; }
svg * { vector-effect: non-scaling-stroke; }
.grid { stroke: var(--line); stroke-width: 1; } .curve { fill: none; stroke: var(--series); stroke-width: 2; }
.area { fill: var(--fill); } .hover { fill: transparent; } .hover:hover { fill: var(--fill); }
.none { color: var(--soft); }
footer { font-size: 13px; max-width: 110ch; } footer p + p { margin-top: 4px; }
@media (max-width: 1000px) {
  .left, .right { grid-column: 1 / -1; } .figures { grid-template-columns: repeat(2, minmax(0, 1fr)); }
  th, td { padding: 7px 6px; }
}
@media print {
  @page { size: A4 portrait; margin: 12mm; } :root { color-scheme: light; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  body { background: none; padding: 0; } main { zoom: 0.72; gap: 12px; }
  .left, .right { grid-column: 1 / -1; } .figures { grid-template-columns: repeat(4, minmax(0, 1fr)); }
  .figure, .card { padding: 10px 14px; } th, td { padding-block: 4px; } .scroll { overflow: visible; }
  .equity svg { height: 200px; } .card, .figures, tr { break-inside: avoid; }
}
""".strip()


def sheet(light: str, dark: str, more: str) -> str:
    """The common style and a page's own: its colors for both themes, and its rules."""
    return (
        f":root, .paper:root {{ color-scheme: light dark; {LIGHT} {light} }}\n"
        f"@media screen and (prefers-color-scheme: dark) {{ :root {{ {DARK} {dark} }} }}\n{CSS}\n{more}"
    )
