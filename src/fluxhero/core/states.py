"""An order's life as a table: what we know of it, and what each word of the venue makes of that."""

from __future__ import annotations

import enum

from fluxhero.messages import Says


class State(enum.StrEnum):
    """Of an order as we know it."""

    SENT = "sent"  # durable, and no word yet: whether it arrived is open
    UNKNOWN = "unknown"  # nor did a word come in time, or one that proves anything
    LIVE = "live"
    PARTIAL = "partial"
    FILLED = "filled"
    CANCELED = "canceled"
    REJECTED = "rejected"
    REPLACED = "replaced"


OPEN = frozenset({State.SENT, State.UNKNOWN, State.LIVE, State.PARTIAL})
UNPROVEN = frozenset({State.SENT, State.UNKNOWN})  # it may or may not stand at the venue

S, U, L, P, F, C, R, X = State
o = None

# A column is a word, in the order of Says. `o` is the error: recorded, and it changes nothing. No fill is one, for an
# execution is a fact in every state; nor is a word that comes late or twice.
#        accepted pending partial fill cncld replcd rjctd cncl-rj unansw absent charged
ROWS: dict[State, tuple[State | None, ...]] = {
    State.SENT:     (L, L, P, F, C, X, R, S, U, U, o),
    State.UNKNOWN:  (L, L, P, F, C, X, R, U, U, U, o),
    State.LIVE:     (L, L, P, F, C, X, R, L, L, o, o),
    State.PARTIAL:  (P, P, P, F, C, X, R, P, P, o, o),
    State.FILLED:   (F, F, F, F, o, o, o, F, F, o, o),
    State.CANCELED: (C, C, C, C, C, o, o, C, C, o, o),
    State.REJECTED: (o, o, R, R, o, o, R, R, R, R, o),
    State.REPLACED: (X, X, X, X, o, X, o, X, X, o, o),
}  # fmt: skip
TABLE: dict[tuple[State, Says], State] = {
    (state, says): then for state, row in ROWS.items() for says, then in zip(Says, row, strict=True) if then
}


def after(state: State, says: Says) -> State | None:
    """What a word makes of a state; None: they contradict each other."""
    return TABLE.get((state, says))


# Alpaca's words. None proves nothing, like every word that is not here: read the order again, and count it.
STATUSES: dict[str, Says | None] = {
    "accepted": Says.ACCEPTED,
    "accepted_for_bidding": Says.ACCEPTED,
    "calculated": Says.ACCEPTED,
    "canceled": Says.CANCELED,
    "done_for_day": Says.ACCEPTED,
    "expired": Says.CANCELED,
    "filled": Says.FILL,
    "held": Says.ACCEPTED,
    "new": Says.ACCEPTED,
    "partially_filled": Says.PARTIAL_FILL,
    "pending_cancel": Says.PENDING,
    "pending_new": Says.ACCEPTED,
    "pending_replace": Says.PENDING,
    "pending_review": Says.ACCEPTED,
    "rejected": Says.REJECTED,
    "replaced": Says.REPLACED,
    "stopped": Says.ACCEPTED,
    "suspended": Says.ACCEPTED,
}
EVENTS: dict[str, Says | None] = {
    "accepted": Says.ACCEPTED,
    "calculated": Says.ACCEPTED,
    "canceled": Says.CANCELED,
    "done_for_day": Says.ACCEPTED,
    "expired": Says.CANCELED,
    "fill": Says.FILL,
    "held": Says.ACCEPTED,
    "new": Says.ACCEPTED,
    "order_cancel_rejected": None,
    "order_replace_rejected": None,
    "partial_fill": Says.PARTIAL_FILL,
    "pending_cancel": Says.PENDING,
    "pending_new": Says.ACCEPTED,
    "pending_replace": Says.PENDING,
    "rejected": Says.REJECTED,
    "replaced": Says.REPLACED,
    "restated": None,
    "stopped": Says.ACCEPTED,
    "suspended": Says.ACCEPTED,
}


def diagram() -> str:
    """The table in Mermaid: the words that change a state."""
    edges: dict[tuple[State, State], list[str]] = {}
    for (state, says), then in TABLE.items():
        if then is not state:
            edges.setdefault((state, then), []).append(says.value)
    arrows = [f"    {a.value} --> {b.value}: {', '.join(words)}" for (a, b), words in edges.items()]
    ends = [f"    {state.value} --> [*]" for state in State if state not in OPEN]
    return "\n".join(["stateDiagram-v2", f"    [*] --> {State.SENT.value}", *arrows, *ends])
