"""The strategies that ship, and what makes a module a strategy.

A strategy is a module: one of this package, one that an entry point of the group `fluxhero.strategies` names, or a
file `mine.py`. config.toml says `[strategy] name = "..."`; its keys stand in `[strategy.<name>]`, of a file: its stem.

All that it must have is `decide(row, bar, p, stop_atr)`, a @step or @rare of kernel.compile. It is called at the seal
of every full bar, once the indicators are valid, and says what it wants by kernel.trade: `enter`, `leave`, `trail`.
`row` is the symbol's record (kernel.state.row: market, reading, regime, session, trade, decision, own), `bar` the
sealed bar, `p.rules` the account's rules, `p.own` the strategy's parameters, `stop_atr` the stop distance in force,
in ATR. It sees neither the account nor other symbols and has no clock: same bars and fills, same decisions. Compiled
code makes no arrays, not in passing either (np.max, a[1:] = a[:-1]): it keeps them in OWN, and loops over them.

It may have, too:

`Params`    a section.Section: its keys, each with a default, a range, a unit and a meaning. int, float, bool, and
            Literal of texts. `p.own` has them by name: a flag as 0 or 1, a text as its index in the Literal.
`OWN`       a kernel.state.record of what it keeps per symbol, in `row.own`: int64, float64, arrays of them; 0 at first.
`remember`  (row, bar, p), jitted: called after `decide`, and at the bars at which that was not called.
`weigh`     (row, bar, p), jitted: puts every condition that it looks at into row.decision, for explanations.
`READS`     a tuple: the names of those of `row.reading` that it looks at; by default all. The rest is NaN and costs
            nothing, but for what stops, gates and flat windows need: close, atr, mid, sd, atr_mean, volume_mean. A
            regime needs adx and r2.
`SIZING`    "risk", which is the default: by the distance to the stop; "full": all cash; a number: so many shares. Only
            the lab runs the latter two.
`MATURE`    at which bar of a symbol it is first asked; by default the 64th, when every indicator is valid.
"""

GROUP = "fluxhero.strategies"  # of entry points
SHIPPED = ("dual_mode", "metronome", "sma_cross", "buy_and_hold")
