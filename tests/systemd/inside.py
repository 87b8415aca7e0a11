"""Root's part on a freshly booted machine: befalls the service as the world does, prints as JSON what was seen.

Needs nothing but the standard library. The market goes on while the service is killed for the first time; then it is
slowed to a standstill, so that what is held and ordered must be the same, to the letter, after whatever happens.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")
Json = dict[str, Any]

HOME = Path("/opt/fluxhero")
CONFIG = Path("/etc/fluxhero/config.toml")
DROP_INS = Path("/etc/systemd/system/fluxhero.service.d")
STATE = Path("/var/lib/fluxhero")
SOCKET = Path("/run/fluxhero/control.sock")
FLUXHERO = (str(HOME / "venv/bin/python"), "-I", "-m", "fluxhero")
PATIENCE = 60.0  # s; a bound, not a measure
WATCHDOG = 3  # s, instead of the unit's 30
SECRET = "canary-4711"
NOBODY = "65534"

# Positions soon, and for long.
LIVELY = {"name": '"metronome"', "every": "2", "keep": "300", "stop_atr": "6.0"}


def run(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE)


def systemctl(*words: str) -> "subprocess.CompletedProcess[str]":
    return run("systemctl", *words)


def timed(*words: str) -> tuple[int, float]:
    began = time.monotonic()
    return systemctl(*words).returncode, time.monotonic() - began


def show() -> dict[str, str]:
    lines = systemctl("show", "fluxhero").stdout.splitlines()
    return {name: value for name, _, value in (line.partition("=") for line in lines)}


def seen(*names: str) -> dict[str, str]:
    shown = show()
    return {name: shown.get(name, "") for name in names}  # what is empty is not shown


def main_pid() -> int:
    return int(show()["MainPID"])


def ctl(*words: str) -> Json:
    ran = run(*FLUXHERO, "ctl", "--socket", str(SOCKET), "--json", *words)
    assert ran.returncode == 0, (words, ran)
    answer: Json = json.loads(ran.stdout)
    return answer


def until(find: Callable[[], T | None]) -> T:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        found = find()
        if found is not None:
            return found
        time.sleep(0.05)
    raise TimeoutError(f"{find.__name__}: {show()}")


def configure(**values: str) -> None:
    """The shipped file, some values of it replaced."""
    text = (HOME / "config.toml").read_text()
    for key, value in {**LIVELY, **values}.items():
        text, count = re.subn(rf"(?m)^({key} +)= \S+", rf"\1= {value}", text)
        assert count == 1, key
    CONFIG.parent.mkdir(exist_ok=True)
    CONFIG.write_text(text)


def drop_in(name: str, text: str) -> None:
    DROP_INS.mkdir(exist_ok=True)
    (DROP_INS / name).write_text(text)
    systemctl("daemon-reload")


def holdings() -> Json:
    return {"positions": ctl("positions")["positions"], "orders": ctl("orders")["orders"]}


def protected() -> Json | None:
    """What is held, if something is, and the venue holds a stop for all of each."""
    now = holdings()
    stops = {o["symbol"]: o["qty"] for o in now["orders"] if o["role"] == "stop" and o["state"] == "live"}
    held = {p["symbol"]: p["qty"] for p in now["positions"]}
    return now if held and held == stops else None


def befall(number: int) -> Json:
    """Sends a signal, and waits until systemd has a new daemon that says READY."""
    before = show()
    began = time.monotonic()
    os.kill(int(before["MainPID"]), number)

    def ready() -> Json | None:
        now = show()
        if now["ActiveState"] != "active" or now["NRestarts"] == before["NRestarts"]:
            return None
        after = int(now["ActiveEnterTimestampMonotonic"]) / 1e6 - began
        return {"ready": after, "restarts": int(now["NRestarts"]) - int(before["NRestarts"])}

    return until(ready)


def verified() -> tuple[int, str]:
    ran = run("systemd-analyze", "verify", "/etc/systemd/system/fluxhero.service")
    return ran.returncode, ran.stdout + ran.stderr


def first_start() -> Json:
    configure()
    code, seconds = timed("start", "fluxhero")
    return {
        "verify": verified(),
        "start": (code, seconds),
        "shown": seen("ActiveState", "StatusText", "NRestarts", "WatchdogUSec", "DropInPaths"),
        "status": ctl("status"),
        "stranger": run("setpriv", "--reuid", NOBODY, "--clear-groups", *FLUXHERO, "ctl", "--socket", str(SOCKET),
                        "status").returncode,
        "modes": {str(p): oct(p.stat().st_mode & 0o777) for p in (STATE, SOCKET, SOCKET.parent, *STATE.iterdir())},
    }  # fmt: skip


def killed_in_the_market() -> Json:
    before, at = until(protected), ctl("status")["market_time"]
    came = befall(signal.SIGKILL)

    def beyond() -> Json | None:
        return protected() if ctl("status")["market_time"] > at else None

    after = until(beyond)
    return {**came, "before": before, "after": after, "trades": ctl("trades", "1000")["trades"]}


def halted() -> None:
    """So that the log has warnings."""
    ctl("halt", "--reason", "a drill")
    ctl("release", "halt", "--reason", "the drill is over")


def stopped() -> Json:
    code, seconds = timed("stop", "fluxhero")
    return {"stop": (code, seconds), "shown": seen("ActiveState", "Result", "ExecMainStatus", "NRestarts")}


def at_a_standstill() -> Json:
    configure(speed="0.001")
    drop_in("test.conf", f"[Service]\nWatchdogSec={WATCHDOG}\n")
    systemctl("start", "fluxhero")
    before = holdings()
    facts: Json = {"before": before}
    for name, number in (("killed", signal.SIGKILL), ("stopped", signal.SIGSTOP), ("hung", signal.SIGUSR2)):
        facts[name] = {**befall(number), "same": holdings() == before}
    code, seconds = timed("restart", "fluxhero")
    facts["restarted"] = {"code": code, "ready": seconds, "same": holdings() == before}
    return facts


def shut_down() -> Json:
    before = show()["NRestarts"]
    ctl("shutdown")

    def again() -> bool | None:
        now = show()
        return True if now["ActiveState"] == "active" and now["NRestarts"] != before else None

    return {"again": until(again)}


def with_keys() -> Json:
    store = Path("/etc/credstore")
    store.mkdir(mode=0o700, exist_ok=True)
    for name in ("alpaca_key_id", "alpaca_secret_key"):
        (store / name).write_text(SECRET)
    drop_in("alpaca.conf", (HOME / "alpaca.conf").read_text())
    code, _ = timed("restart", "fluxhero")
    process = Path("/proc") / str(main_pid())
    environ = dict(pair.split("=", 1) for pair in (process / "environ").read_text().split("\0") if pair)
    keys = Path(environ["CREDENTIALS_DIRECTORY"])
    return {
        "verify": verified(),
        "restart": code,
        "environ": environ,
        "command": (process / "cmdline").read_text(),
        "keys": {p.name: (oct(p.stat().st_mode & 0o777), p.stat().st_uid == process.stat().st_uid, p.read_text())
                 for p in sorted(keys.iterdir())},
        "said": json.dumps([ctl("config"), ctl("status")]),
        "uid": process.stat().st_uid,
    }  # fmt: skip


def misconfigured() -> Json:
    facts: Json = {}
    for name, act in (("absent", CONFIG.unlink), ("wrong", lambda: CONFIG.write_text("[risk]\nslots = 0\n"))):
        act()
        code, _ = timed("restart", "fluxhero")
        time.sleep(1.0)  # in which a restart would have come
        shown = seen("ActiveState", "Result", "ExecMainStatus", "NRestarts")
        facts[name] = {"restart": code, **shown}
        systemctl("reset-failed", "fluxhero")
    return facts


def judged() -> Json:
    exposed = run("systemd-analyze", "security", "--no-pager", "--threshold=15", "fluxhero.service")
    figure = re.search(r"exposure level for fluxhero.service: (\S+)", exposed.stdout)
    chain = run(*FLUXHERO, "verify", "--state", str(STATE))
    return {
        "security": (exposed.returncode, figure[1] if figure else exposed.stdout + exposed.stderr),
        "chain": (chain.returncode, chain.stdout + chain.stderr),
    }


def journal() -> list[Json]:
    run("journalctl", "--sync")
    lines = run("journalctl", "-u", "fluxhero", "-o", "json", "--all", "--no-pager").stdout.splitlines()
    names = {"MESSAGE": "text", "PRIORITY": "priority", "_TRANSPORT": "by", "SYSLOG_IDENTIFIER": "name"}
    return [{name: entry.get(field) for field, name in names.items()} for entry in map(json.loads, lines)]


def facts() -> Json:
    first = first_start()
    killed = killed_in_the_market()
    halted()
    return {
        "first": first, "killed": killed, "stopped": stopped(), "still": at_a_standstill(), "shut": shut_down(),
        "keys": with_keys(), "misconfigured": misconfigured(), "judged": judged(), "journal": journal(),
    }  # fmt: skip


if __name__ == "__main__":
    try:
        json.dump(facts(), sys.stdout)
    except BaseException:
        sys.stderr.write(run("journalctl", "-u", "fluxhero", "--no-pager").stdout)
        raise
