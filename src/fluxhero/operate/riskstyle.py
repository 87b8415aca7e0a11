"""How the risk report's page looks, beside what all pages have in common."""

from fluxhero.ink.style import sheet

LIGHT = """
  --gap: #9dbcf0; --broken-wash: #fdeceA; --over-wash: #fdf3e1; --within-wash: #e8f5ed; --plus: #c65a2e;
  --minus: #2f6fb7;
""".strip()
DARK = """
  --gap: #35507e; --broken-wash: #3a1c1a; --over-wash: #352a14; --within-wash: #15301f; --plus: #d9784e;
  --minus: #5590d6;
""".strip()

CSS = sheet(
    LIGHT,
    DARK,
    """
.verdict { border-radius: 10px; padding: 14px 20px; color: var(--ink); border-left: 5px solid; }
.verdict.broken { background: var(--broken-wash); border-color: var(--broken); }
.verdict.over { background: var(--over-wash); border-color: var(--over); }
.verdict.within { background: var(--within-wash); border-color: var(--within); }
.verdict strong { font-size: 17px; } .verdict ul { list-style: none; padding: 0; margin-top: 6px; columns: 2 380px; }
.verdict li { break-inside: avoid; display: flex; gap: 10px; padding: 1px 0; }
.verdict li b { flex: 0 0 62px; font-size: 12.5px; line-height: 21px; font-weight: 650; }
.row { display: grid; align-items: center; gap: 2px 14px; padding: 7px 0; }
.row + .row { border-top: 1px solid var(--line); } .row span { font-variant-numeric: tabular-nums; }
.limit { grid-template-columns: 8.5em minmax(0, 1fr) 12.5em 3.6em; }
.limit i { grid-column: 2 / -1; font-style: normal; font-size: 12.5px; color: var(--soft); }
.stake { grid-template-columns: 5.5em minmax(0, 1fr) 15em; }
.row > span:last-of-type { text-align: right; }
.limit small { display: inline-block; min-width: 7.2em; }
.limit em { font-size: 12.5px; font-weight: 650; font-style: normal; text-align: right; }
.track { position: relative; height: 14px; background: var(--track); border-radius: 3px; }
.track u { position: absolute; inset: 0 auto 0 0; border-radius: 3px; background: var(--series); min-width: 2px; }
.track u.zero { display: none; }
.track u.gap { background: var(--gap); }
.track u.over { background: var(--over); } .track u.broken { background: var(--broken); }
.track s { position: absolute; top: -3px; bottom: -3px; left: 80%; width: 2px; background: var(--ink); }
.legend u.gap { background: var(--gap); } .legend u.broken { background: var(--broken); }
.heat { table-layout: fixed; border-collapse: separate; border-spacing: 2px; max-width: 620px; }
.heat th, .heat td { border: 0; padding: 0; text-align: center; height: clamp(30px, 3.4vw, 44px); font-size: 13px; }
.heat tbody th { text-align: left; } .heat td { border-radius: 4px; color: var(--ink); background: var(--track); }
.heat .self { background: transparent; color: var(--soft); }
.heat .plus { background: color-mix(in oklab, var(--plus) var(--r), var(--card)); }
.heat .minus { background: color-mix(in oklab, var(--minus) var(--r), var(--card)); }
.bound { stroke-width: 1.5; stroke-dasharray: 5 4; }
.bound.over { stroke: var(--over); } .bound.broken { stroke: var(--broken); }
@media (max-width: 1000px) { .heat { max-width: none; } }
@media (max-width: 560px) {
  .limit, .stake { grid-template-columns: 1fr auto; } .row .track { grid-column: 1 / -1; order: 3; }
  .limit em { display: none; } .limit i { order: 4; grid-column: 1 / -1; } .figure { padding: 12px 14px; }
}
@media print {
  .row { padding-block: 4px; } .heat { max-width: none; } .heat th, .heat td { height: 28px; padding: 0; }
  .verdict, .row { break-inside: avoid; }
}
""".strip(),
)
