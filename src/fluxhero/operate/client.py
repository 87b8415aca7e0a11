"""`fluxhero ctl`: asks the daemon, or reads its state where none runs."""

from __future__ import annotations

import argparse
import json
import os
import socket
import sys
from pathlib import Path
from typing import Any

from fluxhero.operate.exits import NO_DAEMON, NO_INPUT, OK, REFUSED_UID, USAGE
from fluxhero.store.queries import NotFound, Reader
from fluxhero.store.sqlite import StoreError

READS = ("status", "positions", "orders", "why")
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


def run(args: argparse.Namespace) -> int:
    request = {k: v for k, v in vars(args).items() if k in ("cmd", "symbol", "trip", "reason", "all") and v}
    if getattr(args, "time", None):
        request["time"] = " ".join(args.time)
    state = args.state or default_state()
    answer = _ask(args.socket or default_socket(args.state), request)
    if answer is None:
        if args.cmd in ACTS:
            print(f"no daemon answers at {args.socket or default_socket(args.state)}", file=sys.stderr)
            return NO_DAEMON
        try:
            answer = _read(state, request)
        except StoreError as e:
            print(e, file=sys.stderr)
            return NO_DAEMON
    return _show(answer, args)


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
    """The daemon's answer, or None where nobody listens."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
        s.settimeout(PATIENCE)
        try:
            s.connect(str(path))
        except OSError:
            return None
        s.sendall(json.dumps(request).encode() + b"\n")
        with s.makefile("rb") as answers:
            line = answers.readline()
    answer: dict[str, Any] = json.loads(line) if line else {"ok": False, "error": "the daemon hung up"}
    return answer


def _read(state: Path, request: dict[str, Any]) -> dict[str, Any]:
    reader = Reader(state)
    try:
        match request["cmd"]:
            case "status":
                return {"ok": True, **reader.status(), "running": False}
            case "positions":
                return {"ok": True, **reader.positions()}
            case "orders":
                return {"ok": True, **reader.orders(bool(request.get("all")))}
            case _:
                return {"ok": True, **reader.why(request["symbol"], request.get("time"))}
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
