"""sd_notify with real datagrams, and an environment that nobody vouches for."""

import os
import random
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from fluxhero.runtime.systemd import INTERVAL, Notifier

ABSTRACT = f"@fluxhero-test-{os.getpid()}"


@contextmanager
def ear(name: str) -> Iterator[socket.socket]:
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as s:
        s.bind("\0" + name[1:] if name.startswith("@") else name)
        s.setblocking(False)
        yield s


def heard(s: socket.socket) -> list[bytes]:
    words = []
    while True:
        try:
            words.append(s.recv(65536))
        except BlockingIOError:
            return words


@pytest.mark.parametrize("kind", ["path", "abstract"])
def test_each_word_is_a_datagram(kind: str, tmp_path: Path) -> None:
    name = ABSTRACT if kind == "abstract" else str(tmp_path / "notify")
    with ear(name) as s:
        notify = Notifier({"NOTIFY_SOCKET": name})
        notify("READY=1")
        notify("STOPPING=1\nSTATUS=leaving")
        assert heard(s) == [b"READY=1", b"STOPPING=1\nSTATUS=leaving"]


def test_who_has_not_slept_and_listens_again_is_heard(tmp_path: Path) -> None:
    """systemd may be restarted under us: each word finds its own way."""
    name = str(tmp_path / "notify")
    notify = Notifier({"NOTIFY_SOCKET": name})
    for _ in range(2):
        with ear(name) as s:
            notify("WATCHDOG=1")
            assert heard(s) == [b"WATCHDOG=1"]
        os.unlink(name)
        notify("WATCHDOG=1")  # to nobody


def test_an_ear_that_is_full_does_not_hold_us_up(tmp_path: Path) -> None:
    name = str(tmp_path / "notify")
    with ear(name) as s:
        notify = Notifier({"NOTIFY_SOCKET": name})
        for _ in range(10_000):
            notify("WATCHDOG=1")
        assert 0 < len(heard(s)) < 10_000


@pytest.mark.parametrize(
    "name",
    ["", "@", "relative", "/nowhere/at/all", "/dev/null", "/" + "x" * 200, "@" + "x" * 200, "vsock:2:1", "\udcff"],
)
def test_a_socket_that_is_none_hurts_nobody(name: str) -> None:
    notify = Notifier({"NOTIFY_SOCKET": name})
    notify("READY=1")


def test_without_systemd_nothing_is_said() -> None:
    Notifier({})("READY=1")


@pytest.mark.parametrize(
    ("environ", "interval"),
    [
        ({}, INTERVAL),
        ({"WATCHDOG_USEC": "30000000"}, 10.0),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": str(os.getpid())}, 1.0),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": str(os.getpid() + 1)}, INTERVAL),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "me"}, INTERVAL),
        ({"WATCHDOG_PID": str(os.getpid())}, INTERVAL),
        *(
            ({"WATCHDOG_USEC": usec}, INTERVAL)
            for usec in (
                "",
                "0",
                "000",
                "-3000000",
                "3e6",
                "3.0",
                " ",
                "soon",
                "²",
                "½",
                "inf",
                "nan",
                "0x10",
                "1_000_000",
            )
        ),
    ],
)
def test_the_interval_is_a_third_of_what_systemd_waits(environ: dict[str, str], interval: float) -> None:
    assert Notifier(environ).interval == interval


@pytest.mark.parametrize("usec", ["9" * 30, "9" * 400, "9" * 5000, "1", "2", "30"])
def test_an_absurd_wait_neither_kills_us_nor_makes_us_spin(usec: str) -> None:
    assert Notifier({"WATCHDOG_USEC": usec}).interval >= 0.01


def test_no_environment_hurts() -> None:
    chance = random.Random(7)
    letters = "0123456789²٣ -+.eE@/\\\n\t\udc80é" + "".join(map(chr, range(1, 32)))
    for _ in range(2000):
        value = {
            name: "".join(chance.choices(letters, k=chance.choice([0, 1, 3, 20])))
            for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
        }
        notify = Notifier(value)
        assert notify.interval > 0, value
        notify("READY=1")
