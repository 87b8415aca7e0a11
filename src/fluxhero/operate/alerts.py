"""When to wake the owner of an account, and what to do then: Prometheus' alerting rules."""

from __future__ import annotations

import re
import textwrap
from typing import NamedTuple

CRITICAL = "critical"  # look now: money is at stake, or nobody looks after it
WARNING = "warning"  # look today


class Alert(NamedTuple):
    """CTL and RUN stand for the commands of this daemon."""

    name: str
    severity: str
    wait: str  # for which it must hold
    expr: str
    summary: str
    what: str


ALERTS = (
    Alert(
        "Down", CRITICAL, "30s",
        'up{job="fluxhero"} == 0 or absent(up{job="fluxhero"})',
        "FluxHero does not answer",
        "Nobody looks after the account. `CTL status` says how it was left, its log why it ended. Start it again: "
        "`RUN`. It goes on where it was.",
    ),
    Alert(
        "NotReady", CRITICAL, "2m",
        "fluxhero_ready == 0",
        "FluxHero runs and does not trade",
        "`CTL status` says why, `CTL actors` who does not get on. If that stays: `CTL shutdown`, then `RUN`.",
    ),
    Alert(
        "Safe", CRITICAL, "0s",
        "fluxhero_safe == 1",
        "Feed, candles and strategy crashed too often and stay down",
        "Exits and stops go on, nothing is entered. The log says what crashed. To try again: `CTL shutdown`, then "
        "`RUN`. To leave all positions: `CTL flatten --reason SAFE`.",
    ),
    Alert(
        "ActorRestarted", WARNING, "0s",
        "increase(fluxhero_actor_restarts_total[10m]) > 0",
        "The actor {{ $labels.actor }} crashed",
        "All actors began anew from the journal, and nothing is lost. The log has the traceback, `CTL actors` the "
        "count; more than 5 in a minute end in SAFE or in the daemon's end.",
    ),
    Alert(
        "Rung", CRITICAL, "0s",
        "fluxhero_rung > 0",
        "Trading is cut down to rung {{ $value }} (1 reducing, 2 safe, 3 halted, 4 flatten)",
        "`CTL trips` says what cut it down, how far, and what lets go of it; `CTL risk` how near the limits are.",
    ),
    Alert(
        "SymbolRung", CRITICAL, "2m",
        "fluxhero_symbol_rung > 0",
        "{{ $labels.symbol }} is cut down to rung {{ $value }} (1 reducing, 4 flatten)",
        "The others go on. `CTL trips` says why, and what lets go of it.",
    ),
    Alert(
        "ClockSkew", WARNING, "0s",
        "abs(fluxhero_clock_skew_seconds) > 2",
        "The machine's clock has jumped by {{ $value | humanizeDuration }}",
        "Beyond 30 s trading halts. See whether time is kept (`timedatectl`), and whether the machine slept.",
    ),
    Alert(
        "JournalDeaf", CRITICAL, "0s",
        "fluxhero_journal_deaf > 0",
        "Trading is cut down, and the journal cannot be written",
        "Cancels and exits go on without it and are written down in the file `halt` of the state. See to the disk "
        "(`df`, `dmesg`); at the next start what the file has is journaled.",
    ),
    Alert(
        "DayLoss", WARNING, "0s",
        '-fluxhero_day_result_ratio > ignoring(limit) 2 / 3 * fluxhero_limit_ratio{limit="day_loss"}',
        "The day has lost {{ $value | humanizePercentage }}, two thirds of its limit",
        "At the limit all is sold and trading ends until it is released. `CTL trades` and `CTL account` say how it "
        "came. To enter nothing more: `CTL pause --reason TEXT`. To leave all: `CTL flatten --reason TEXT`.",
    ),
    Alert(
        "Drawdown", WARNING, "0s",
        'fluxhero_drawdown_ratio >= ignoring(limit) fluxhero_limit_ratio{limit="soft_drawdown"}',
        "The drawdown is {{ $value | humanizePercentage }}, over its soft limit",
        "Sizes are reduced and stops are tighter; at the hard limit all is sold. `CTL limits` and `CTL equity month` "
        "say how it stands. To enter nothing more: `CTL pause --reason TEXT`.",
    ),
    Alert(
        "FeedSilent", CRITICAL, "30s",
        "fluxhero_feed_age_seconds > 30 and fluxhero_session_open == 1",
        "The session is open, and nothing has come in for {{ $value | humanizeDuration }}",
        "Stops rest at the broker; nothing new is decided. `CTL status` has the feed's age. If the market does trade: "
        "`CTL shutdown`, then `RUN`.",
    ),
    Alert(
        "PositionWithoutStop", CRITICAL, "0s",
        "fluxhero_naked_seconds > 10",
        "{{ $labels.symbol }} has been without its whole stop for {{ $value | humanizeDuration }}",
        "After 30 s the daemon leaves the position. `CTL positions` and `CTL orders` say what it is waiting for. To "
        "leave it now: `CTL flatten {{ $labels.symbol }} --reason TEXT`.",
    ),
    Alert(
        "Drift", CRITICAL, "0s",
        "fluxhero_drifts > 0",
        "The broker has something else of {{ $labels.symbol }} than we, and no order explains it",
        "Nothing is entered there, and nothing was corrected. `CTL events 100` has what differs; compare it with what "
        "the broker shows. To take the broker's word: `CTL adopt {{ $labels.symbol }} --reason TEXT`. To let it be: "
        "`CTL ignore {{ $labels.symbol }} --reason TEXT`.",
    ),
    Alert(
        "OrderUnanswered", CRITICAL, "30s",
        'fluxhero_open_orders{state=~"sent|unknown"} > 0',
        "{{ $value }} orders are sent and not answered",
        "`CTL orders` has them: they may be at the broker or not, and count as if they were. The daemon asks every 5 s "
        "and sends none of them under another id. Look whether the broker answers at all.",
    ),
    Alert(
        "OrderRejected", WARNING, "0s",
        'increase(fluxhero_evidence_total{says="rejected"}[10m]) > 0',
        "The broker rejected an order",
        "`CTL orders --all` has it with the broker's reason, `CTL positions` what may lack its stop or its exit.",
    ),
    Alert(
        "OddEvidence", WARNING, "0s",
        "increase(fluxhero_odd_evidence_total[10m]) > 0",
        "The broker said of an order what its state does not expect",
        "It is journaled and changed nothing: `CTL events 100`. Compare `CTL positions` and `CTL orders` with what "
        "the broker shows.",
    ),
    Alert(
        "JournalStalls", CRITICAL, "2m",
        "increase(fluxhero_journal_rows_total[3m]) == 0 and min_over_time(fluxhero_session_open[3m]) == 1",
        "The session is open, and the journal does not grow",
        "Every minute of a session seals a bar. `CTL actors` says who does not get on, `CTL status` how old the feed "
        "is. If that stays: `CTL shutdown`, then `RUN`.",
    ),
    Alert(
        "DiskLow", CRITICAL, "1m",
        "fluxhero_disk_free_bytes < 1e9",
        "{{ $value | humanize1024 }}B are left on the disk of the state",
        "Without a journal nothing is traded: the daemon ends when the disk is full. Make room there.",
    ),
    Alert(
        "CommitsSlow", WARNING, "5m",
        "histogram_quantile(0.99, rate(fluxhero_commit_seconds_bucket[5m])) > 0.1",
        "One commit in a hundred takes longer than {{ $value | humanizeDuration }}",
        "Orders wait for the journal. See who else writes to that disk (`iostat -x 5`), and whether it fails.",
    ),
    Alert(
        "LoopLags", WARNING, "5m",
        "histogram_quantile(0.99, rate(fluxhero_loop_lag_seconds_bucket[5m])) > 0.1",
        "The daemon's loop is late by {{ $value | humanizeDuration }}",
        "All actors share it. See who takes the processor (`top`), and which actor has much to do: `CTL actors`.",
    ),
    Alert(
        "MemoryGrows", WARNING, "30m",
        'deriv(process_resident_memory_bytes{job="fluxhero"}[1h]) * 3600 > 50e6 '
        'and time() - process_start_time_seconds{job="fluxhero"} > 7200',
        "Memory grows by {{ $value | humanize1024 }}B an hour",
        "It should stay the same from the second hour on. Before it runs out, outside the session: `CTL shutdown`, "
        "then `RUN`.",
    ),
    Alert(
        "ProcessRestarted", WARNING, "0s",
        'changes(process_start_time_seconds{job="fluxhero"}[10m]) > 0',
        "FluxHero was started again",
        "It goes on where it was. If that was not you, its log says why it ended. `CTL status` says how it stands.",
    ),
    Alert(
        "KernelCompiled", WARNING, "0s",
        "fluxhero_kernel_compilations_after_ready > 0",
        "{{ $value }} kernel functions were compiled while trading",
        "Each holds the loop up for seconds, once. `fluxhero warm` before the next start compiles all.",
    ),
)  # fmt: skip

HEADER = "# What to wake the owner of an account for, as `fluxhero monitoring` wrote it.\ngroups:\n  - name: fluxhero\n"


def yaml(ctl: str, run: str) -> str:
    """The rules' file; `ctl` and `run` are the commands that descriptions name."""
    rules = "\n".join(_rule(alert, ctl, run) for alert in ALERTS)
    return f"{HEADER}    rules:\n{textwrap.indent(rules, ' ' * 6)}"


def _rule(a: Alert, ctl: str, run: str) -> str:
    what = re.sub(r"`(CTL|RUN)\b", lambda m: f"`{ctl if m[1] == 'CTL' else run}", a.what)
    return (
        f"- alert: FluxHero{a.name}\n"
        f"  expr: {_quoted(a.expr)}\n"
        f"  for: {a.wait}\n"
        f"  labels: {{severity: {a.severity}}}\n"
        f"  annotations:\n"
        f"    summary: {_quoted(a.summary)}\n"
        f"    description: >-\n{textwrap.indent(_folded(what), ' ' * 6)}\n"
    )


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _folded(text: str) -> str:
    """Lines that YAML joins by one space again; a command stays on one."""
    whole = re.sub("`.*?`", lambda m: m[0].replace(" ", "\0"), text)
    return textwrap.fill(whole, 100, break_long_words=False, break_on_hyphens=False).replace("\0", " ")
