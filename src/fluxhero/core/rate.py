"""How many entry orders may leave: what a program gone mad must not exceed (requirements 10, Knight Capital)."""

from collections import deque
from collections.abc import Iterable

from fluxhero.messages import MINUTE, Nanos

A_MINUTE, A_DAY = 10, 100  # entry orders of market time, chases and resends among them
CEILING = 60  # other sends a minute: told of, never held back
DAY = 86_400_000_000_000  # a UTC day holds one session of New York


class Rate:
    """The sends of the last minute and of the day."""

    def __init__(self, times: Iterable[Nanos] = ()) -> None:
        """`times`: of the last day's, oldest first."""
        self._minute: deque[Nanos] = deque()
        self._day, self._today = -1, 0
        for ts in times:
            self.count(ts)

    def over(self, ts: Nanos) -> tuple[int, int] | None:
        """(sent, the most) where one more would be too many."""
        self._roll(ts)
        if len(self._minute) >= A_MINUTE:
            return len(self._minute), A_MINUTE
        return (self._today, A_DAY) if self._today >= A_DAY else None

    def count(self, ts: Nanos) -> None:
        self._roll(ts)
        self._minute.append(ts)
        self._today += 1

    @property
    def minute(self) -> int:
        return len(self._minute)

    def _roll(self, ts: Nanos) -> None:
        while self._minute and ts - self._minute[0] >= MINUTE:
            self._minute.popleft()
        if ts // DAY != self._day:
            self._day, self._today = ts // DAY, 0
