"""The unit under a real systemd, booted in namespaces of its own: one boot, in which `systemd/inside.py` does it all.

The service's Python is the system's, as a user that systemd makes up must be able to read it. Its packages are those
that run this test, mounted beside it: nothing is installed, nothing is downloaded.
"""

import compileall
import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest

from fluxhero import cli
from fluxhero.hosted import DEADLINE
from fluxhero.logs import PRIORITIES
from fluxhero.operate.exits import CONFIG, NO_INPUT
from fluxhero.runtime.vitals import STUCK
from tests.systemd.inside import NOBODY, SECRET, WATCHDOG

ROOT = Path(__file__).parents[1]
UNIT = ROOT / "systemd" / "fluxhero.service"
KEYS = ROOT / "systemd" / "fluxhero.service.d" / "alpaca.conf"
BOOT = ROOT / ".." / "shared" / "tools" / "systemd-boot.sh"
PYTHON = Path("/usr/bin/python3.11")
LIMIT = 150  # s for all that happens inside
CANNOT = 77  # what the script exits with where it cannot run
ADDRESSES = "/opt/fluxhero/src\n/opt/fluxhero/site\n"
# The loop hangs on demand, wherever it is.
HANGS = 'import signal; signal.signal(signal.SIGUSR2, lambda *_: __import__("time").sleep(600))\n'
# What systemd itself says to a service, and the unit's own two.
ENVIRONMENT = {
    "CACHE_DIRECTORY", "CREDENTIALS_DIRECTORY", "HOME", "INVOCATION_ID", "JOURNAL_STREAM", "LANG", "LOGNAME",
    "NOTIFY_SOCKET", "NUMBA_CACHE_DIR", "OPENBLAS_NUM_THREADS", "PATH", "RUNTIME_DIRECTORY", "SHELL",
    "STATE_DIRECTORY", "SYSTEMD_EXEC_PID", "USER", "WATCHDOG_PID", "WATCHDOG_USEC",
}  # fmt: skip

Facts = dict[str, Any]


def setting(name: str) -> str:
    """The only one of that name."""
    (value,) = [line.partition("=")[2] for line in UNIT.read_text().splitlines() if line.startswith(f"{name}=")]
    return value


def test_the_unit_runs_a_command_that_there_is() -> None:
    python, *words = setting("ExecStart").split()
    assert (python, words[words.index("-m") + 1]) == ("/opt/fluxhero/venv/bin/python", "fluxhero")
    args = cli._parser().parse_args(words[words.index("fluxhero") + 1 :])
    assert (args.command, args.config) == ("run", Path("/etc/fluxhero/config.toml"))


def test_the_units_times_and_codes_agree_with_the_daemons() -> None:
    assert int(setting("WatchdogSec")) > 2 * STUCK  # it says in the log who is stuck before it is ended for it
    assert int(setting("TimeoutStopSec")) > DEADLINE
    assert [int(code) for code in setting("RestartPreventExitStatus").split()] == [NO_INPUT, CONFIG]


def obstacle() -> str | None:
    """Why no machine can be booted here."""
    if os.getuid() != 0:
        return "only root can boot a systemd"
    if not BOOT.exists():
        return "../shared/tools/systemd-boot.sh is absent"
    if not any(Path(p, "systemd/systemd").exists() for p in ("/lib", "/usr/lib")) or not shutil.which("systemctl"):
        return "systemd is absent"
    if not PYTHON.exists() or sys.version_info[:2] != (3, 11):
        return f"{PYTHON} is absent, or not the version that runs this"
    if subprocess.run(["unshare", "--mount", "--pid", "--fork", "true"], capture_output=True).returncode:
        return "namespaces cannot be made here"
    return None


def environment(folder: Path) -> list[str]:
    """Mounts that make /opt/fluxhero what an installation would."""
    source, venv = folder / "src", folder / "venv"
    shutil.copytree(ROOT / "src", source, ignore=shutil.ignore_patterns("__pycache__"))
    compileall.compile_dir(source, quiet=2)
    subprocess.run([PYTHON, "-m", "venv", "--without-pip", venv], check=True)
    (venv / "lib/python3.11/site-packages/fluxhero.pth").write_text(ADDRESSES + HANGS)
    subprocess.run(["chmod", "-R", "a+rX", folder], check=True)
    return [
        f"{source}:/opt/fluxhero/src,ro",
        f"{venv}:/opt/fluxhero/venv,ro",
        f"{sysconfig.get_path('purelib')}:/opt/fluxhero/site,ro",
        f"{ROOT / 'config.toml'}:/opt/fluxhero/config.toml,ro",
        f"{KEYS}:/opt/fluxhero/alpaca.conf,ro",
        f"{ROOT / 'tests/systemd/inside.py'}:/opt/fluxhero/inside.py,ro",
    ]


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> Facts:
    why = obstacle()
    if why:
        pytest.skip(why)
    mounts = [word for mount in environment(tmp_path_factory.mktemp("machine")) for word in ("-b", mount)]
    boot = ["bash", str(BOOT), "-t", str(LIMIT), "-u", str(UNIT), *mounts, "--"]
    ran = subprocess.run([*boot, str(PYTHON), "-I", "/opt/fluxhero/inside.py"], capture_output=True, text=True)
    if ran.returncode == CANNOT:
        pytest.skip(ran.stderr.strip())
    assert ran.returncode == 0, ran.stderr
    found: Facts = json.loads(ran.stdout)
    return found


def said(facts: Facts) -> list[Facts]:
    """What the daemon itself wrote."""
    return [entry for entry in facts["journal"] if entry["by"] == "stdout"]


def by_systemd(facts: Facts) -> str:
    return "\n".join(entry["text"] for entry in facts["journal"] if entry["by"] == "journal")


def test_systemd_finds_nothing_wrong_with_the_unit(facts: Facts) -> None:
    assert facts["first"]["verify"] == [0, ""]
    assert facts["keys"]["verify"] == [0, ""]  # with the drop-in


def test_it_is_active_when_it_says_that_it_is_ready(facts: Facts) -> None:
    code, seconds = facts["first"]["start"]
    print(f"READY after the first start, which compiles: {seconds:.2f} s")
    assert code == 0
    assert facts["first"]["shown"] == {
        "ActiveState": "active", "StatusText": "trading", "NRestarts": "0", "WatchdogUSec": "30s", "DropInPaths": "",
    }  # fmt: skip


def test_root_speaks_to_it_by_its_socket_and_nobody_else_can(facts: Facts) -> None:
    status = facts["first"]["status"]
    assert (status["running"], status["state"], status["rung"]) == (True, "ready", "NORMAL")
    assert facts["first"]["stranger"] == 77
    assert {path: int(mode, 8) & 0o077 for path, mode in facts["first"]["modes"].items() if int(mode, 8) & 0o077} == {}


def test_killed_in_a_moving_market_it_goes_on_with_what_it_held(facts: Facts) -> None:
    killed = facts["killed"]
    assert killed["restarts"] == 1
    held = {(p["symbol"], p["since"]) for p in killed["before"]["positions"]}  # each under a stop, as afterwards
    still = {(p["symbol"], p["since"]) for p in killed["after"]["positions"]}
    closed = {(t["symbol"], t["opened"]) for t in killed["trades"]}
    assert held
    assert held <= still | closed


def test_killed_it_is_ready_again_within_two_seconds(facts: Facts) -> None:
    """The better of two; on a machine that is busy, within twice what an ordinary restart takes it then."""
    times = [facts["killed"]["ready"], facts["still"]["killed"]["ready"]]
    ordinary = facts["still"]["restarted"]["ready"]
    print(f"READY after SIGKILL: {', '.join(f'{t:.2f}' for t in times)} s; after a restart: {ordinary:.2f} s")
    assert min(times) <= max(2.0, 2 * ordinary)


def test_what_was_held_and_ordered_is_the_same_after_whatever_happened(facts: Facts) -> None:
    still = facts["still"]
    assert [p for p in still["before"]["positions"] if p["stop"]]
    assert {name: still[name]["same"] for name in ("killed", "stopped", "hung", "restarted")} == {
        "killed": True, "stopped": True, "hung": True, "restarted": True,
    }  # fmt: skip
    code, text = facts["judged"]["chain"]
    assert (code, "each follows from those before it" in text) == (0, True)


@pytest.mark.parametrize("how", ["stopped", "hung"])
def test_a_daemon_that_does_not_get_on_is_ended_by_the_watchdog_and_begun_anew(how: str, facts: Facts) -> None:
    came = facts["still"][how]
    print(f"READY after it {how}, with a watchdog of {WATCHDOG} s: {came['ready']:.2f} s")
    assert came["restarts"] == 1
    assert came["ready"] < WATCHDOG + max(5.0, 2 * facts["still"]["restarted"]["ready"])
    assert by_systemd(facts).count("Watchdog timeout (limit 3s)!") == 2
    assert by_systemd(facts).count("Failed with result 'watchdog'.") == 2


def test_a_hang_leaves_its_stack_in_the_journal(facts: Facts) -> None:
    text = "\n".join(entry["text"] for entry in said(facts))
    assert text.count("Fatal Python error: Aborted") == 2
    assert 'File "<string>", line 1 in <lambda>' in text  # where it hung
    assert 'src/fluxhero/service.py", line' in text


def test_a_stop_is_clean_and_quick(facts: Facts) -> None:
    """On a machine that is busy, within what a restart takes it then."""
    code, seconds = facts["stopped"]["stop"]
    print(f"stopped in {seconds:.2f} s; stopped and READY again in {facts['still']['restarted']['ready']:.2f} s")
    assert (code, seconds < max(5.0, 2 * facts["still"]["restarted"]["ready"])) == (0, True)
    shown = facts["stopped"]["shown"]
    assert (shown["ActiveState"], shown["Result"], shown["ExecMainStatus"]) == ("inactive", "success", "0")
    assert facts["still"]["restarted"]["code"] == 0
    assert [e["text"] for e in said(facts) if "cut off" in e["text"]] == []


def test_a_shutdown_by_ctl_is_a_restart(facts: Facts) -> None:
    assert facts["shut"]["again"]


@pytest.mark.parametrize("how", ["absent", "wrong"])
def test_a_configuration_that_will_not_do_is_tried_once_and_named(how: str, facts: Facts) -> None:
    assert facts["misconfigured"][how] == {
        "restart": 1, "ActiveState": "failed", "Result": "exit-code", "ExecMainStatus": "78", "NRestarts": "0",
    }  # fmt: skip
    lines = [e["text"] for e in said(facts) if e["text"].startswith("fluxhero: /etc/fluxhero/config.toml")]
    assert ["does not exist" in lines[0], "slots" in lines[1]] == [True, True]


def test_every_line_of_the_log_is_json_under_its_own_priority(facts: Facts) -> None:
    lines = [entry for entry in said(facts) if entry["text"].startswith("{")]
    assert {entry["name"] for entry in lines} == {"fluxhero"}
    logged = [(json.loads(entry["text"]), int(entry["priority"])) for entry in lines]
    assert [(line, priority) for line, priority in logged if PRIORITIES[line["level"]] != priority] == []
    warned = [line["event"] for line, priority in logged if priority <= 4]
    assert ["tripped halt" in warned[0], "released halt" in warned[1]] == [True, True]


def test_what_is_no_line_of_the_log_is_an_error(facts: Facts) -> None:
    """The last words of a crash bear no priority of their own; `journalctl -p err` must find them."""
    others = [entry for entry in said(facts) if not entry["text"].startswith("{")]
    assert {entry["priority"] for entry in others} == {"3"}


def test_keys_are_files_that_only_the_service_reads(facts: Facts) -> None:
    keys = facts["keys"]
    assert keys["restart"] == 0
    assert keys["keys"] == {name: ["0o400", True, SECRET] for name in ("alpaca_key_id", "alpaca_secret_key")}
    assert keys["uid"] not in (0, int(NOBODY))
    assert set(keys["environ"]) <= ENVIRONMENT
    everywhere = [*keys["environ"].values(), keys["command"], keys["said"], *(e["text"] for e in facts["journal"])]
    assert [text for text in everywhere if SECRET in text] == []


def test_its_exposure_is_small(facts: Facts) -> None:
    code, figure = facts["judged"]["security"]
    print(f"systemd-analyze security: {figure} (0 is least, 10 most)")
    assert code == 0
