"""`fluxhero ctl`: asks the daemon, or reads its state where none runs."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import socket
import sys
from pathlib import Path
from typing import Any

from fluxhero.operate.exits import NO_DAEMON, NO_INPUT, OK, REFUSED_UID, USAGE
from fluxhero.store.queries import READS, NotFound, Reader
from fluxhero.store.sqlite import StoreError

ACTS = ("halt", "release", "shutdown")
PATIENCE = 30.0  # s


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--state", type=Path, metavar="DIR", help="the daemon's state directory")
    parser.add_argument("--socket", type=Path, metavar="PATH", help="its control socket, where that lies elsewhere")
    parser.add_argument("--json", action="store_true", help="print the answer as one JSON object")
    commands = parser.add_subparsers(dest="cmd", required=True, metavar="COMMAND")
    commands.add_parser("status", help="where things stand")
    commands.add_parser("positions", help="what is held, and where its stops are")
    orders = commands.add_parser("orders", help="the open orders")
    orders.add_argument("--all", action="store_true", help="the newest 100, closed ones too")
    why = commands.add_parser("why", help="why something was done, or not, at a seal")
    why.add_argument("symbol", metavar="SYM")
    why.add_argument("time", nargs="*", metavar="TIME", help="HH:MM or YYYY-MM-DD HH:MM, New York; default: the last")
    halt = commands.add_parser("halt", help="no more strategy orders; protective stops stay")
    halt.add_argument("--reason", default="")
    release = commands.add_parser("release", help="release a trip")
    release.add_argument("trip", metavar="TRIP")
    release.add_argument("--reason", required=True)
    commands.add_parser("shutdown", help="stop the daemon; it resumes where it was")
    for command in commands.choices.values():
        command.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS)


class Unanswered(Exception):
    """Somebody listens, but no answer came that could be one."""


def run(args: argparse.Namespace) -> int:
    request = {k: v for k, v in vars(args).items() if k in ("cmd", "symbol", "trip", "reason", "all") and v}
    if getattr(args, "time", None):
        request["time"] = " ".join(args.time)
    path = args.socket or default_socket(args.state)
    try:
        answer = _ask(path, request)
        if answer is None and (args.cmd in ACTS or (args.socket and not args.state)):
            raise Unanswered(f"no daemon answers at {path}")
        answer = answer or _read(args.state or default_state(), request)
    except PermissionError:
        return _fail(f"refused: no permission to speak to {path}", REFUSED_UID)
    except (Unanswered, StoreError) as e:
        return _fail(str(e), NO_DAEMON)
    return _show(answer, args)


def _fail(text: str, code: int) -> int:
    print(text, file=sys.stderr)
    return code


def default_state() -> Path:
    """$STATE_DIRECTORY, else XDG's."""
    if "STATE_DIRECTORY" in os.environ:
        return Path(os.environ["STATE_DIRECTORY"])
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "fluxhero"


def default_socket(state: Path | None) -> Path:
    if state is not None:
        return state / "control.sock"
    return Path(os.environ.get("RUNTIME_DIRECTORY") or default_state()) / "control.sock"


def _ask(path: Path, request: dict[str, Any]) -> dict[str, Any] | None:
    """The daemon's answer, or None where nobody listens. Raises Unanswered, PermissionError."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
        s.settimeout(PATIENCE)
        try:
            s.connect(str(path))
        except PermissionError:
            raise
        except TimeoutError:
            raise Unanswered(f"{path} is too busy to answer") from None
        except OSError:
            return None
        try:
            answer = json.loads(_exchange(s, json.dumps(request).encode() + b"\n"))
        except (OSError, ValueError) as e:
            raise Unanswered(f"{path} gave no answer: {e}") from None
    if not (isinstance(answer, dict) and isinstance(answer.get("ok"), bool)):
        raise Unanswered(f"{path} gave no answer that could be one")
    if not answer["ok"] and not isinstance(answer.get("error"), str):
        raise Unanswered(f"{path} refused without saying why")
    return answer


def _exchange(s: socket.socket, line: bytes) -> bytes:
    """One line there, one back; who refuses us may hang up before he has heard us."""
    with contextlib.suppress(BrokenPipeError):
        s.sendall(line)
    with s.makefile("rb") as answers:
        answer = answers.readline()
    if not answer:
        raise OSError("the daemon hung up")
    return answer


def _read(state: Path, request: dict[str, Any]) -> dict[str, Any]:
    """Straight from the state, where no daemon runs."""
    reader = Reader(state)
    cmd = request["cmd"]
    try:
        every = bool(request.get("all"))
        answer = reader.answer(cmd, request.get("symbol", ""), request.get("time", ""), every)
        return {"ok": True, **answer, **({"running": False} if cmd == "status" else {})}
    except NotFound as e:
        return {"ok": False, "error": str(e)}
    finally:
        reader.close()


def _show(answer: dict[str, Any], args: argparse.Namespace) -> int:
    if args.json:
        print(json.dumps(answer))
    elif answer["ok"]:
        print(_text(answer, args.cmd))
    else:
        print(answer["error"], file=sys.stderr)
    if answer["ok"]:
        return OK
    if "refused uid" in answer["error"]:
        return REFUSED_UID
    return NO_INPUT if args.cmd in READS else USAGE


def _text(answer: dict[str, Any], cmd: str) -> str:
    if cmd in ("positions", "orders"):
        return _table(answer[cmd]) or f"no {cmd if cmd == 'positions' else 'open orders'}"
    if cmd == "status":
        shown = {k: v for k, v in answer.items() if k != "ok"}
        return "\n".join(f"{k.replace('_', ' '):14} {_cell(v)}" for k, v in shown.items())
    return str(answer.get("why") or answer.get("text"))


def _table(rows: list[dict[str, Any]]) -> str:
    if not rows:
        return ""
    lines = [list(rows[0]), *([_cell(v) for v in row.values()] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in lines)


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return f"{value:,.2f}" if isinstance(value, float) else "-" if value is None else str(value)
