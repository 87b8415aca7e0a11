from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from zoneinfo import ZoneInfo

import pytest

from fluxhero.core import _nyse
from fluxhero.core.calendar import Calendar, CalendarEnd, Session, nyse
from fluxhero.messages import Nanos

HOUR = 3600 * 10**9
FRIDAY, MONDAY = date(2026, 11, 20), date(2026, 11, 23)


def ts(text: str, zone: str = "America/New_York") -> Nanos:
    return Nanos(int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()) * 10**9)


def before(moment: Nanos) -> Nanos:
    return Nanos(moment - 1)


def session(day: date) -> Session:
    found = nyse().on(day)
    assert found
    return found


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    pytest.importorskip("exchange_calendars", reason="the table's source is a dev package")
    from tests.dev import make_calendar

    return make_calendar


# pandas warns exchange-calendars of what will change.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_table_is_what_its_generator_writes(generator: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "_nyse.py").write_text(generator.render())
    assert (tmp_path / "_nyse.py").read_bytes() == Path(_nyse.__file__).read_bytes()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_every_open_and_close_is_the_librarys(generator: ModuleType) -> None:
    ours = {s.date: tuple(datetime.fromtimestamp(at / 10**9, UTC) for at in (s.open, s.close)) for s in nyse().sessions}
    assert ours == generator.library_sessions()


def test_the_table_reaches_from_1998_to_2029() -> None:
    assert (nyse().first, nyse().last) == (date(1998, 1, 1), date(2029, 12, 31))
    assert (nyse().sessions[0].date, nyse().sessions[-1].date) == (date(1998, 1, 2), date(2029, 12, 31))


def test_sessions_follow_one_another() -> None:
    sessions = nyse().sessions
    assert [s.index for s in sessions] == list(range(8047))
    assert all(s.open < s.close for s in sessions)
    assert all(a.close < b.open and a.date < b.date for a, b in pairwise(sessions))


def test_a_regular_session_is_half_past_nine_to_four() -> None:
    assert session(FRIDAY) == Session(
        index=session(MONDAY).index - 1,
        date=FRIDAY,
        open=ts("2026-11-20 09:30"),
        close=ts("2026-11-20 16:00"),
        early=False,
    )


@pytest.mark.parametrize("day", [date(2015, 12, 24), date(2026, 11, 27), date(1999, 12, 31)])
def test_a_half_day_closes_at_one(day: date) -> None:
    half = session(day)
    assert (half.open, half.close) == (ts(f"{day} 09:30"), ts(f"{day} 13:00"))
    assert half.early


@pytest.mark.parametrize(
    "day",
    [
        *(date(2001, 9, n) for n in (11, 12, 13, 14)),
        date(2012, 10, 29),
        date(2012, 10, 30),
        date(2025, 1, 9),
        date(2026, 11, 21),
        date(2026, 11, 22),
        date(2026, 11, 26),
    ],
)
def test_closed_days_have_no_session(day: date) -> None:
    noon = ts(f"{day} 12:00")
    assert nyse().on(day) is None
    assert nyse().at(noon) is None
    assert nyse().between(day, day) == []
    assert nyse().next(noon).date > day


def test_the_open_belongs_to_the_session_and_the_close_does_not() -> None:
    friday = session(FRIDAY)
    assert nyse().at(before(friday.open)) is None
    assert nyse().at(friday.open) == friday
    assert nyse().at(before(friday.close)) == friday
    assert nyse().at(friday.close) is None


def test_next_is_the_open_session_until_its_close() -> None:
    friday, monday = session(FRIDAY), session(MONDAY)
    assert nyse().next(before(friday.open)) == friday
    assert nyse().next(friday.open) == friday
    assert nyse().next(before(friday.close)) == friday
    assert nyse().next(friday.close) == monday


def test_between_has_both_ends() -> None:
    thanksgiving = nyse().between(FRIDAY, date(2026, 11, 27))
    assert [s.date.day for s in thanksgiving] == [20, 23, 24, 25, 27]
    assert nyse().between(FRIDAY, FRIDAY) == [session(FRIDAY)]
    assert nyse().between(MONDAY, FRIDAY) == []
    assert tuple(nyse().between(nyse().first, nyse().last)) == nyse().sessions


@pytest.mark.parametrize(
    ("sunday", "hours"),
    [
        (date(2006, 4, 2), 23),  # the rule before 2007
        (date(2006, 10, 29), 25),
        (date(2026, 3, 8), 23),
        (date(2026, 11, 1), 25),
        (date(2026, 11, 8), 24),
    ],
)
def test_a_day_that_changes_the_clocks_is_longer_or_shorter(sunday: date, hours: int) -> None:
    begin, end = nyse().day_of(sunday)
    assert begin == ts(f"{sunday}")
    assert end - begin == hours * HOUR


def test_the_open_keeps_its_hour_in_new_york_when_clocks_change() -> None:
    assert session(date(2026, 3, 6)).open == ts("2026-03-06 14:30", "UTC")
    assert session(date(2026, 3, 9)).open == ts("2026-03-09 13:30", "UTC")
    assert session(date(2026, 10, 30)).close == ts("2026-10-30 20:00", "UTC")
    assert session(date(2026, 11, 2)).close == ts("2026-11-02 21:00", "UTC")


def test_days_meet_at_midnight_in_new_york() -> None:
    day = nyse().first
    while day < nyse().last:
        begin, end = nyse().day_of(day)
        assert nyse().new_york_date(begin) == nyse().new_york_date(before(end)) == day
        day += timedelta(1)
        assert (nyse().new_york_date(end), nyse().day_of(day)[0]) == (day, end)


def test_a_ts_outside_the_table_is_an_error_that_names_the_range() -> None:
    begin, end = nyse().day_of(nyse().first)[0], nyse().day_of(nyse().last)[1]
    for ask in (nyse().at, nyse().next, nyse().new_york_date):
        with pytest.raises(CalendarEnd, match=r"^1998-01-01 04:59:59 UTC is outside .* 1998-01-01 to 2029-12-31$"):
            ask(before(begin))
        with pytest.raises(CalendarEnd, match=r"^2030-01-01 05:00:00 UTC is outside .* 1998-01-01 to 2029-12-31$"):
            ask(end)
    assert nyse().at(begin) is None
    assert nyse().new_york_date(before(end)) == nyse().last


def test_no_session_follows_the_last() -> None:
    last = nyse().sessions[-1]
    assert nyse().next(before(last.close)) == last
    with pytest.raises(CalendarEnd, match="2029-12-31 21:00:00 UTC is after the last session"):
        nyse().next(last.close)


@pytest.mark.parametrize("day", [date(1997, 12, 31), date(2030, 1, 1)])
def test_a_date_outside_the_table_is_an_error(day: date) -> None:
    with pytest.raises(CalendarEnd, match=f"{day} is outside the calendar, 1998-01-01 to 2029-12-31"):
        nyse().on(day)
    with pytest.raises(CalendarEnd):
        nyse().day_of(day)
    with pytest.raises(CalendarEnd):
        nyse().between(min(day, FRIDAY), max(day, FRIDAY))


def test_a_calendar_is_made_of_its_irregular_days() -> None:
    week = Calendar(date(2026, 6, 1), date(2026, 6, 7), {date(2026, 6, 2): None, date(2026, 6, 3): 13 * 60})
    assert [(s.index, s.date.day, s.early) for s in week.sessions] == [
        (0, 1, False),
        (1, 3, True),
        (2, 4, False),
        (3, 5, False),
    ]


def test_the_calendar_is_made_once() -> None:
    assert nyse() is nyse()
