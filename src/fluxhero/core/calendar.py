"""The sessions of the New York Stock Exchange, from a generated table."""

import datetime
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from functools import lru_cache
from zoneinfo import ZoneInfo

import msgspec

from fluxhero.core import _nyse
from fluxhero.messages import MINUTE, SECOND, Nanos

NEW_YORK = ZoneInfo("America/New_York")
MIDNIGHT = 24 * 60  # in minutes of the day before
OPENS = _nyse.OPEN  # minutes of New York's day


class CalendarEnd(LookupError):
    """The table does not reach that day."""


class Session(msgspec.Struct, frozen=True):
    """One regular session: open <= ts < close."""

    index: int  # 0.. over the whole table, by date
    date: datetime.date  # in New York
    open: Nanos
    close: Nanos
    early: bool  # closes before 16:00


class Calendar:
    """The sessions of the New York dates `first` to `last`, inclusive. What lies outside raises CalendarEnd."""

    def __init__(self, first: datetime.date, last: datetime.date, closes: dict[datetime.date, int | None]) -> None:
        """`closes` has the irregular days: the minute of the close, or None where there is no session."""
        self.first, self.last = first, last
        self._zero = first.toordinal()
        self._dates = [datetime.date.fromordinal(n) for n in range(self._zero, last.toordinal() + 1)]
        self._midnights = [_midnight(date) for date in [*self._dates, last + datetime.timedelta(1)]]
        self._by_day = list(_by_day(self._dates, self._midnights, closes))
        self.sessions = tuple(session for session in self._by_day if session)
        self._closes = [session.close for session in self.sessions]

    def at(self, ts: Nanos) -> Session | None:
        """The session that is open at ts."""
        session = self._by_day[self._day_at(ts)]
        return session if session and session.open <= ts < session.close else None

    def next(self, ts: Nanos) -> Session:
        """The first session whose close is after ts: the open one, or the one to come."""
        self._day_at(ts)
        number = bisect_right(self._closes, ts)
        if number == len(self.sessions):
            raise self._end(_utc(ts), "after the last session of")
        return self.sessions[number]

    def on(self, date: datetime.date) -> Session | None:
        """The session of a New York date."""
        return self._by_day[self._day(date)]

    def between(self, first_date: datetime.date, last_date: datetime.date) -> list[Session]:
        """The sessions of these New York dates, both inclusive."""
        days = self._by_day[self._day(first_date) : self._day(last_date) + 1]
        return [session for session in days if session]

    def day_of(self, date: datetime.date) -> tuple[Nanos, Nanos]:
        """The midnights that begin and end a New York date: 23, 24 or 25 hours apart."""
        day = self._day(date)
        return self._midnights[day], self._midnights[day + 1]

    def new_york_date(self, ts: Nanos) -> datetime.date:
        return self._dates[self._day_at(ts)]

    def _day_at(self, ts: Nanos) -> int:
        """Days from `first` to the New York date of ts."""
        if not self._midnights[0] <= ts < self._midnights[-1]:
            raise self._end(_utc(ts), "outside")
        return bisect_right(self._midnights, ts) - 1

    def _day(self, date: datetime.date) -> int:
        """Days from `first` to a date."""
        day = date.toordinal() - self._zero
        if not 0 <= day < len(self._dates):
            raise self._end(date, "outside")
        return day

    def _end(self, what: object, where: str) -> CalendarEnd:
        return CalendarEnd(f"{what} is {where} the calendar, {self.first} to {self.last}")


@lru_cache
def nyse() -> Calendar:
    """The calendar of the table; made once, in about 30 ms."""
    closes: dict[datetime.date, int | None] = dict.fromkeys(_dates(_nyse.HOLIDAYS))
    for minute, lines in _nyse.EARLY_CLOSES.items():
        closes |= dict.fromkeys(_dates(lines), minute)
    return Calendar(datetime.date.fromisoformat(_nyse.FIRST), datetime.date.fromisoformat(_nyse.LAST), closes)


def _dates(lines: Iterable[str]) -> Iterator[datetime.date]:
    """The dates of the table's lines: a year, then its days as mmdd."""
    for line in lines:
        year, *days = line.split()
        yield from (datetime.date(int(year), int(day[:2]), int(day[2:])) for day in days)


def _by_day(
    dates: list[datetime.date], midnights: list[Nanos], closes: dict[datetime.date, int | None]
) -> Iterator[Session | None]:
    """For each date its session, or None."""
    index = 0
    for date, midnight in zip(dates, midnights[1:], strict=True):
        minute = closes.get(date, _nyse.CLOSE) if date.weekday() < 5 else None
        if minute is None:
            yield None
            continue
        # Clocks change at 02:00, so the day's last midnight is the one that is whole minutes from open and close.
        opened = Nanos(midnight - (MIDNIGHT - _nyse.OPEN) * MINUTE)
        closed = Nanos(midnight - (MIDNIGHT - minute) * MINUTE)
        yield Session(index, date, opened, closed, minute < _nyse.CLOSE)
        index += 1


def _midnight(date: datetime.date) -> Nanos:
    """When a New York date begins."""
    return Nanos(int(datetime.datetime.combine(date, datetime.time.min, NEW_YORK).timestamp()) * SECOND)


def _utc(ts: Nanos) -> str:
    moment = datetime.datetime.fromtimestamp(ts // SECOND, datetime.UTC)
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
