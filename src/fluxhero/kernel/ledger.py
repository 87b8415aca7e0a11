"""What a backtest writes down: fills, round trips, orders, decisions, stops. Money is micro-dollars."""

from fluxhero.kernel.codes import CHECKS
from fluxhero.kernel.state import READING, f8, floats, ints, record

ENTRY, EXIT, STOP = 0, 1, 2  # roles of an order

# ts: the end of the bar time, UTC ns; at: the start of the bar that it filled in; side: 1 buys, -1 sells; qty > 0;
# price: a share's; order: its number, from 1, as the client order id has it.
FILL = record(*ints("ts at slot role side mode qty price fee order"))

# A closed trade. qty: signed, short is less than 0; regime: at its decision; opened, closed: of its first and last
# fill, UTC ns; entry, exit: means of a share; stop: that it began with; role: what closed it; bars: that it lasted.
ROUND = record(*ints("slot mode regime qty opened closed entry exit stop fees result role bars"))

# A stop's level from that bar time on; 0: there is none any more.
LEVEL = record(*ints("ts slot stop"))

# What a think came to that sought something, and what the gate made of it: `journal.Decided` and `journal.Judged`.
# ruled: 1 where the gate was asked, its answer in verdict, over and bound; peer: a slot, or -1.
DECIDED = record(
    *ints("ts slot action side mode regime gate stop"), *floats("risk scale wide"),
    ("value", f8, (CHECKS,)), ("limit", f8, (CHECKS,)), ("reading", READING),
    *ints("ruled verdict qty by_risk by_cap by_room peer"), *floats("over bound factor weight correlation company"),
)  # fmt: skip

# An order, as it was sent; number: from 1, what it replaces as well; carried: it waits for its entry's fill.
ORDER = record(*ints("ts number slot role side mode qty stop mark replaces carried"), *floats("volume wide"))

# A limit of the account that tripped, by its bit, and when it was released, 0: not yet.
TRIP = record(*ints("ts trip equity released"), *floats("value bound"))

# A session that a position sold short was held over; price: what it was reckoned at.
CHARGE = record(*ints("ts slot session qty price fee"))
