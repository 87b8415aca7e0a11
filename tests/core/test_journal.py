import inspect
import subprocess
import sys
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxhero.core import journal as j
from fluxhero.messages import Cid, Micros, Model, Nanos, Order, Role, Says, Shares, Side, Type, Verb, Why

T = Nanos(1_711_461_600_000_000_000)
CID, STOP = Cid("fh-test-0-1-0"), Cid("fh-test-0-2-0")

ROWS: list[j.Row] = [
    j.Opened(
        ts=Nanos(0), account="papr", epoch="0badcafe", cash=Micros(10**11), model=Model.QUOTE, symbols=("SPY", "QQQ"),
        identity={"dates": "first to last", "model": "quote"},
    ),
    j.Settings(ts=Nanos(0), hash="00ff", strategy="metronome", params=b"\x00\xff"),
    j.Seal(
        ts=T, equity=Micros(10**11), cash=Micros(-5),
        bars=(j.BarRow(0, T, 1.0, 2.5, 0.5, 1.25, 1e9, 1, 0), j.BarRow(7, T, 0.1, 0.3, 0.1, 0.2, 0.0, 2, 6)),
    ),
    j.Decided(
        ts=T, slot=1, action=3, side=Side.SELL, mode=2, regime=0, gate=0, stop=Micros(98_000_000), risk=0.01,
        scale=0.7, wide=1.5, reading={"close": 100.1, "rsi": 29.999999999999996, "slope": None},
        checks=(j.Check(1, 0.1, 0.3), j.Check(2, None, 0.3)),
    ),
    j.Judged(
        ts=T, slot=0, entry=True, gate=5, value=float("inf"), limit=5.0, qty=Shares(3), by_risk=5, by_cap=4, by_room=3
    ),
    j.Factors(ts=T, sizing=0.5, trail=2.0),
    j.Weights(ts=T, mode=2, weight=0.5, trades=23, factor=0.41),
    j.Intent(
        ts=T,
        order=Order(
            cid=CID, ts=T, slot=0, role=Role.ENTRY, side=Side.BUY, type=Type.MARKET, qty=Shares(100),
            mark=Micros(100_000_000), stop=Micros(98_000_000), stop_cid=STOP, volume=51234.5, mode=3,
        ),
    ),
    j.Intent(
        ts=T,
        order=Order(
            cid=STOP, ts=T, slot=0, role=Role.STOP, side=Side.SELL, type=Type.STOP, qty=Shares(100),
            stop=Micros(99_000_000), replaces=CID,
        ),
    ),
    j.Canceling(ts=T, cid=CID, why=Why.CHASE),
    j.Chased(ts=T, slot=0, cid=CID, attempt=2, gate=15, value=10.0, limit=10.0, price=Micros(100_020_000)),
    j.Entered(
        ts=T, slot=0, cid=CID, wanted=Shares(100), qty=Shares(40), decided=Micros(100_000_000),
        price=Micros(100_010_000), shortfall=Micros(400_000),
    ),
    j.Naked(ts=T, slot=0, since=Nanos(T - 10), held=-40, guarded=30, fled=True),
    j.Guarded(ts=T, slot=0, since=Nanos(T - 10)),
    j.Aim(ts=T, slot=3, leaving=True, stop=Micros(1), mode=1, volume=5e4),
    j.Evidence(ts=T, cid=CID, seq=9, says=Says.REJECTED, state="rejected", reason="gapped through the stop"),
    j.Filled(
        ts=T, cid=CID, seq=10, exec_id="x1", at=Nanos(T - 5), slot=0, role=Role.ENTRY, side=Side.BUY,
        price=Micros(100_010_000), qty=Shares(40), fee=Micros(200_000), state="partial", filled=Shares(40),
        cash=Micros(-(10**12)),
    ),
    j.Closed(
        ts=T, slot=0, mode=1, qty=Shares(40), opened=T, entry=Micros(7), exit=Micros(8), fees=Micros(1),
        result=Micros(-9),
    ),
    j.Charged(
        ts=T, seq=11, slot=0, qty=Shares(40), price=Micros(100_000_000), fee=Micros(47_619), cash=Micros(-(10**12))
    ),
    j.Drift(
        ts=T, key="position 0", kind="unexplained", what="position", slot=0, name="", ours=40, theirs="nothing",
        ignored=True,
    ),
    j.Healed(ts=T, key="position 0"),
    j.Adopted(
        ts=T, slot=0, qty=Shares(-40), price=Micros(100_000_000), cash=Micros(5), mode=2, stop=Micros(7), flow=Micros(8)
    ),
    j.Odd(ts=T, cid=CID, seq=12, says=Says.FILL, state="closed"),
    j.Tripped(ts=T, trip="day_loss", cause="day loss", equity=Micros(9), value=0.031, limit=0.03),
    j.Released(ts=T, trip="day_loss", by="script", reason="a new session"),
    j.Past(ts=T, bars=(j.BarRow(0, Nanos(T - 60), 1.5, 2.5, 0.5, 2.0, 1e3, 1, 0),)),
    j.Blind(ts=T, why="actor strategy crashed"),
    j.Commanded(ts=T, verb=Verb.PAUSE, slots=(0, 2), trip="", reason="news", id="7", text="paused"),
]  # fmt: skip


def keys(hash: str) -> j.Settings:
    return j.Settings(ts=T, hash=hash, strategy="metronome", params=b"")


def chained(rows: list[j.Row]) -> list[j.Line]:
    head, lines = j.GENESIS, []
    for seq, row in enumerate(rows, 1):
        lines.append(j.line(seq, row, head))
        head = lines[-1][4]
    return lines


CHAIN = chained(ROWS)


def test_every_kind_of_row_is_tried_here() -> None:
    kinds = {c for _, c in inspect.getmembers(j, inspect.isclass) if issubclass(c, j.Row) and c is not j.Row}
    assert {type(row) for row in ROWS} == kinds == set(get_args(j.Any))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: type(row).__name__)
def test_a_row_comes_back_as_itself_and_as_the_same_bytes(row: j.Row) -> None:
    body = j.encode(row)
    assert j.decode(body) == row
    assert j.encode(j.decode(body)) == body


@given(value=st.floats(allow_nan=False), seq=st.integers(0, 2**62), reason=st.text(), cash=st.integers(-(2**62), 2**62))
def test_any_number_and_any_text_survive(value: float, seq: int, reason: str, cash: int) -> None:
    for row in (
        j.Factors(ts=T, sizing=value, trail=-value),
        j.Evidence(ts=T, cid=CID, seq=seq, says=Says.FILL, state="filled", reason=reason),
        j.Seal(ts=T, equity=Micros(cash), cash=Micros(-cash), bars=()),
    ):
        assert j.decode(j.encode(row)) == row


def test_a_row_that_is_none_is_refused() -> None:
    for body in (b"", b"\xc1", msgspec.msgpack.encode(["nonsense", 1]), msgspec.msgpack.encode(["aim", 1])):
        with pytest.raises(msgspec.DecodeError):
            j.decode(body)


def test_equal_rows_have_equal_bytes() -> None:
    one = keys("a"), keys("a")
    assert j.encode(one[0]) == j.encode(one[1])
    there: dict[str, float | None] = {"a": 1.0, "b": 2.0}
    back: dict[str, float | None] = {"b": 2.0, "a": 1.0}
    rows = [
        j.Decided(
            ts=T, slot=0, action=3, side=Side.BUY, mode=1, regime=1, gate=0, stop=Micros(1), risk=0.01, scale=1.0,
            wide=1.0, reading=reading, checks=(),
        )
        for reading in (there, back)
    ]  # fmt: skip
    assert rows[0] == rows[1]
    assert j.encode(rows[0]) == j.encode(rows[1])


def test_the_bytes_do_not_depend_on_the_process_or_its_hash_seed() -> None:
    script = "from tests.core.test_journal import CHAIN; print(CHAIN[-1][4].hex())"
    for seed in ("0", "1", "4242"):
        done = subprocess.run(
            [sys.executable, "-c", script], env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert done.stdout == CHAIN[-1][4].hex() + "\n"


# -- the chain


def test_a_line_has_its_place_its_time_its_kind_and_its_bytes() -> None:
    assert [line[:4] for line in CHAIN] == [
        (n, row.ts, type(row).__name__.lower(), j.encode(row)) for n, row in enumerate(ROWS, 1)
    ]


def test_a_hash_binds_the_row_and_all_before_it() -> None:
    a, b = keys("a"), keys("b")
    assert chained([a, b]) == chained([a, b])
    hashes = {chained([x, y])[-1][4] for x in (a, b) for y in (a, b)}
    assert (len(hashes), {len(h) for h in hashes}) == (4, {j.DIGEST})


def test_an_untouched_chain_is_whole() -> None:
    for n in range(len(CHAIN) + 1):
        assert j.broken(CHAIN[:n]) is None


@pytest.mark.parametrize("at", range(len(ROWS)))
def test_an_altered_line_is_named_whatever_was_altered(at: int) -> None:
    seq, ts, kind, body, hashed = CHAIN[at]
    altered: list[j.Line] = [
        (seq, ts, kind, bytes([body[0] ^ 1]) + body[1:], hashed),
        (seq, ts, kind, body[:-1] + bytes([body[-1] ^ 128]), hashed),
        (seq, ts, kind, body + b"\0", hashed),
        (seq, ts, kind, body, bytes(16)),
        (seq, ts + 1, kind, body, hashed),
        (seq, ts, kind + "x", body, hashed),
        (seq + 1, ts, kind, body, hashed),
    ]
    for line in altered:
        assert j.broken([*CHAIN[:at], line, *CHAIN[at + 1 :]]) == seq


@pytest.mark.parametrize("at", range(len(ROWS) - 1))
def test_where_a_row_was_removed_its_place_is_named(at: int) -> None:
    assert j.broken(CHAIN[:at] + CHAIN[at + 1 :]) == at + 1


@pytest.mark.parametrize("at", range(len(ROWS) - 1))
def test_where_two_rows_were_swapped_the_first_is_named(at: int) -> None:
    (s1, *one), (s2, *other) = CHAIN[at], CHAIN[at + 1]
    swapped: list[Any] = [(s1, *other), (s2, *one)]
    assert j.broken([*CHAIN[:at], *swapped, *CHAIN[at + 2 :]]) == s1
    assert j.broken([*CHAIN[:at], CHAIN[at + 1], CHAIN[at], *CHAIN[at + 2 :]]) == s1


def test_where_a_row_was_put_in_it_is_named() -> None:
    assert j.broken([*CHAIN[:3], j.line(4, ROWS[-1], CHAIN[2][4]), *CHAIN[3:]]) == 5
    assert j.broken([*CHAIN[:3], j.line(4, ROWS[-1], j.GENESIS), *CHAIN[3:]]) == 4


def test_a_time_that_cannot_be_is_an_altered_row_and_no_error() -> None:
    seq, _, kind, body, hashed = CHAIN[2]
    for ts in (-1, -(2**63)):
        assert j.broken([*CHAIN[:2], (seq, ts, kind, body, hashed), *CHAIN[3:]]) == seq
