"""The watch over equity: when the day's loss or the drawdown trips, and when sizes shrink and stops tighten."""

from collections.abc import Sequence

import pytest

from fluxhero.kernel.codes import DAY_LOSS, DRAWDOWN
from fluxhero.kernel.risk import marked, rolled, watched
from fluxhero.kernel.state import Array
from fluxhero.messages import MINUTE, SECOND, Model
from tests.accounts import opened, rules
from tests.kernel.drive import fields

pytestmark = pytest.mark.nojit

USD = 1_000_000
CASH = 100_000 * USD
MONTH = 2024 * 12 + 3
BAR = rules()
DAILY = rules(daily=True)
QUOTE = rules(Model.QUOTE)


def seals(a: Array, equities: Sequence[float], session: int = 0, start: int = 0, params: Array = BAR) -> list[int]:
    """What each close of a session trips, one a minute."""
    return [
        watched(a, round(e * USD), session, MONTH, (start + i) * MINUTE, params["rules"])
        for i, e in enumerate(equities)
    ]


def marks(a: Array, equities: Sequence[tuple[float, float]]) -> list[int]:
    """What each mark trips; (seconds, equity)."""
    return [marked(a, round(e * USD), int(s * SECOND), QUOTE["rules"]) for s, e in equities]


# -- the day's loss


def test_a_day_loss_trips_from_the_second_close_in_a_row() -> None:
    a = opened()
    assert seals(a, [100_000, 96_999, 96_998, 96_997]) == [0, 0, DAY_LOSS, 0]
    seen = fields(a[0])
    del seen["modes"]
    assert seen == {
        "equity": 96_997 * USD, "deployed": 0, "positions": 0, "session": 0, "month": MONTH, "day_base": CASH,
        "last": 96_997 * USD, "peak": CASH, "crest": CASH, "strikes": 0, "struck": 2 * MINUTE, "trips": DAY_LOSS,
        "sizing": 1.0, "trail": 2.5,
    }  # fmt: skip


def test_three_per_cent_itself_never_trips() -> None:
    assert seals(opened(), [100_000, 97_000, 97_000, 97_000]) == [0, 0, 0, 0]
    assert seals(opened(), [100_000, 96_999.999999, 96_999.999999]) == [0, 0, DAY_LOSS]


def test_one_close_beyond_twice_the_limit_trips_at_once() -> None:
    assert seals(opened(), [100_000, 93_999]) == [0, DAY_LOSS]
    assert seals(opened(), [100_000, 94_000, 97_000]) == [0, 0, 0]


def test_a_good_close_between_starts_the_count_anew() -> None:
    assert seals(opened(), [100_000, 96_000, 97_000, 96_000, 97_001, 96_000, 96_000]) == [0, 0, 0, 0, 0, 0, DAY_LOSS]


def test_closes_follow_one_another_however_far_apart_in_time() -> None:
    a = opened()
    assert seals(a, [100_000, 96_000]) + seals(a, [96_000], start=300) == [0, 0, DAY_LOSS]


def test_on_daily_bars_one_close_is_enough() -> None:
    a = opened()
    assert seals(a, [100_000], 0, params=DAILY) + seals(a, [96_999], 1, params=DAILY) == [0, DAY_LOSS]


def test_the_count_does_not_outlive_its_session() -> None:
    a = opened()
    assert seals(a, [100_000, 100_000]) == [0, 0]
    assert seals(a, [98_000, 96_000], 1) == [0, 0]
    assert seals(a, [93_000, 93_000], 2) == [0, 0 if 93_000 > 96_000 * 0.97 else DAY_LOSS]


def test_the_days_base_is_the_previous_sessions_last_seal() -> None:
    a = opened()
    seals(a, [100_000, 103_000, 102_000])
    assert marks(a, [(1000, 101_000)]) == [0]
    assert seals(a, [99_000, 98_930], 1) == [0, 0]
    assert (int(a["day_base"][0]), int(a["last"][0])) == (102_000 * USD, 98_930 * USD)
    assert seals(a, [98_939], 1) == [DAY_LOSS]


def test_an_overnight_gap_belongs_to_the_new_day() -> None:
    a = opened()
    seals(a, [100_000, 100_000])
    assert seals(a, [96_500, 96_400], 1) == [0, DAY_LOSS]


def test_a_day_rolls_at_its_first_event_even_before_a_seal() -> None:
    a = opened()
    assert seals(a, [100_000, 98_000, 96_500]) == [0, 0, 0]
    rolled(a, 1)
    assert marks(a, [(1000, 95_000), (1001, 93_700)]) == [0, 0]
    assert (int(a["day_base"][0]), int(a["session"][0])) == (96_500 * USD, 1)
    assert seals(a, [93_600, 93_600], 1, start=20) == [0, DAY_LOSS]


def test_the_first_day_of_all_begins_with_what_there_is() -> None:
    a = opened()
    a["day_base"] = a["last"] = 7
    rolled(a, 3)
    assert [int(a[name][0]) for name in ("day_base", "session", "strikes")] == [CASH, 3, 0]


def test_a_day_rolls_once() -> None:
    a = opened()
    seals(a, [100_000, 99_000])
    rolled(a, 1)
    before = a.tobytes()
    rolled(a, 1)
    assert a.tobytes() == before


def test_the_first_session_begins_at_its_first_seal() -> None:
    a = opened()
    seals(a, [98_000])
    assert int(a["day_base"][0]) == 98_000 * USD


# -- marks between the seals


def test_two_quotes_within_five_seconds_trip() -> None:
    a = opened()
    assert marks(a, [(10, 96_000), (15, 96_000)]) == [0, DAY_LOSS]
    a = opened()
    assert marks(a, [(10, 96_000), (15.000000001, 96_000), (20, 96_000)]) == [0, 0, DAY_LOSS]


def test_a_good_quote_between_starts_the_count_anew() -> None:
    assert marks(opened(), [(1, 96_000), (2, 97_000), (3, 96_000), (4, 96_000)]) == [0, 0, 0, DAY_LOSS]


def test_a_quote_beyond_twice_the_limit_trips_at_once() -> None:
    assert marks(opened(), [(10, 93_999)]) == [DAY_LOSS]


def test_a_close_and_a_quote_count_together() -> None:
    a = opened()
    assert watched(a, 96_000 * USD, -1, MONTH, 10 * SECOND, QUOTE["rules"]) == 0
    assert marks(a, [(12, 96_000)]) == [DAY_LOSS]


def test_a_mark_moves_equity_and_neither_peak_nor_factors_nor_base() -> None:
    a = opened()
    seals(a, [100_000])
    marks(a, [(1000, 120_000)])
    assert [int(a[name][0]) for name in ("equity", "last", "peak", "crest", "day_base")] == [120_000 * USD, *[CASH] * 4]
    assert (float(a["sizing"][0]), float(a["trail"][0])) == (1.0, 2.5)


# -- drawdown


def slide(a: Array, *equities: float) -> list[int]:
    """One close a session, each within the day's limit of the one before."""
    first = int(a["session"][0]) + 1
    return [bits for i, e in enumerate(equities) for bits in seals(a, [e], first + i)]


def factors(a: Array) -> tuple[float, float]:
    return float(a["sizing"][0]), float(a["trail"][0])


SLIDE = (100_000, 97_500, 95_000, 92_500, 90_000, 87_500)


def test_fifteen_per_cent_halve_sizes_and_tighten_stops_until_it_is_made_good() -> None:
    a = opened()
    slide(a, *SLIDE)
    seen = []
    for equity in (85_001, 85_000, 84_000, 85_000, 85_000.000001, 86_000):
        assert slide(a, equity) == [0]
        seen.append(factors(a))
    assert seen == [(1.0, 2.5), (0.5, 2.0), (0.5, 2.0), (0.5, 2.0), (1.0, 2.5), (1.0, 2.5)]


def test_twenty_per_cent_trip_from_the_second_close_in_a_row() -> None:
    a = opened()
    assert slide(a, *SLIDE, 85_000, 82_500, 80_100) == [0] * 9
    assert seals(a, [80_000, 80_000.000001, 80_000, 80_000, 79_000], 9) == [0, 0, 0, DRAWDOWN, 0]
    assert factors(a) == (0.5, 2.0)


def test_a_drawdown_beyond_forty_per_cent_trips_at_once() -> None:
    a = opened()
    a["trips"] = DAY_LOSS
    assert seals(a, [60_000, 81_000, 59_999.999999]) == [0, 0, DRAWDOWN]


def test_a_drawdown_is_measured_from_the_breakers_own_reference() -> None:
    a = opened()
    slide(a, *SLIDE, 85_000, 82_500)
    a["crest"] = 82_500 * USD  # as a release sets it
    assert seals(a, [82_400, 80_100, 80_100], 8) == [0, 0, 0]
    assert factors(a) == (1.0, 2.5)
    assert (int(a["peak"][0]), int(a["crest"][0])) == (CASH, 82_500 * USD)


def test_a_new_high_moves_peak_and_reference() -> None:
    a = opened()
    slide(a, 100_000, 102_000, 101_000)
    assert (int(a["peak"][0]), int(a["crest"][0])) == (102_000 * USD, 102_000 * USD)


# -- what has tripped


def test_a_tripped_limit_is_not_tripped_again() -> None:
    a = opened()
    assert seals(a, [100_000, 96_000, 96_000, 96_000, 93_000, 93_000]) == [0, 0, DAY_LOSS, 0, 0, 0]
    assert seals(a, [89_000, 89_000], 1) == [0, 0]
    assert int(a["trips"][0]) == DAY_LOSS


def test_one_limit_can_trip_while_the_other_is_held() -> None:
    a = opened()
    assert seals(a, [100_000, 96_000, 96_000, 85_000, 80_000, 80_000]) == [0, 0, DAY_LOSS, 0, 0, DRAWDOWN]
    assert int(a["trips"][0]) == DAY_LOSS | DRAWDOWN


def test_both_can_trip_with_one_close() -> None:
    a = opened()
    slide(a, *SLIDE, 85_000, 82_500)
    assert seals(a, [79_999, 79_999], 8) == [0, DAY_LOSS | DRAWDOWN]


def test_each_limit_counts_its_own_marks() -> None:
    """The first mark under the 20 % is not the second under the 3 %."""
    a = opened()
    slide(a, *SLIDE, 85_000, 82_500)
    assert seals(a, [80_001, 79_999, 79_998], 8) == [0, DAY_LOSS, DRAWDOWN]
    a = opened()
    slide(a, *SLIDE, 85_000, 84_000)
    assert seals(a, [78_500, 82_000, 78_500], 8) == [DAY_LOSS, 0, 0]


def test_after_a_release_the_count_begins_anew() -> None:
    a = opened()
    assert seals(a, [100_000, 96_000, 96_000]) == [0, 0, DAY_LOSS]
    a["trips"], a["strikes"] = 0, 0
    assert seals(a, [96_000, 96_000], start=10) == [0, DAY_LOSS]


@pytest.mark.parametrize("equity", [0, -50_000])
def test_a_ruined_account_trips_both_at_once(equity: int) -> None:
    assert seals(opened(), [100_000, equity]) == [0, DAY_LOSS | DRAWDOWN]


@pytest.mark.parametrize("base", [0, -1, -50_000])
def test_of_nothing_any_loss_is_too_much_and_none_is_none(base: int) -> None:
    assert seals(opened(base * USD), [base, base, base + 1]) == [0, 0, 0]
    assert seals(opened(base * USD), [base, base - 0.000001]) == [0, DAY_LOSS | DRAWDOWN]
