"""What systemd is told of us, and what it told us. Without systemd nothing is said."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Mapping

INTERVAL = 10.0  # s between pings where nobody says how often
SHORTEST = 0.05  # s


class Notifier:
    """sd_notify(3): a datagram for each word; lost ones hurt nobody."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        name = environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + name[1:] if name.startswith("@") else name
        mine = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        usec = environ.get("WATCHDOG_USEC", "")
        asked = int(usec) / 3e6 if mine and re.fullmatch("[0-9]{1,15}", usec) else 0.0
        self.interval = max(asked, SHORTEST) if asked else INTERVAL

    def __call__(self, words: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as s:
                s.setblocking(False)
                s.sendto(words.encode(), self._address)
        except OSError:
            pass  # systemd looks after itself
