"""`fluxhero ctl`: asks the daemon, or reads its state where none runs. Never prompts."""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from fluxhero.operate import places, tables
from fluxhero.operate.commands import arguments as arguments
from fluxhero.operate.exits import BUSY, GAVE_UP, NO_DAEMON, NO_INPUT, OK, REFUSED_UID, USAGE
from fluxhero.operate.line import Absent, Answer, Line, Unanswered
from fluxhero.store.queries import READS, BadQuery, NotFound, Query, Reader
from fluxhero.store.sqlite import StoreError

FIELDS = ("cmd", "symbol", "n", "period", "all", "trip", "reason", "id", "follow")  # of a request, and `time`
PATIENCE = 30.0  # s until an answer must have come
GLANCE = 5.0  # s; who asks every second does not wait that long
INTERRUPTED = 128 + 2  # as a shell has it

# What a refusal exits with, by its kind.
EXITS = {
    "bad_request": USAGE, "unknown_command": USAGE, "too_long": USAGE, "refused": USAGE, "not_found": NO_INPUT,
    "unavailable": NO_DAEMON, "failed": GAVE_UP, "busy": BUSY, "stranger": REFUSED_UID,
}  # fmt: skip


def run(args: argparse.Namespace) -> int:
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # whatever the terminal's letters are
    try:
        code = _run(args)
        sys.stdout.flush()
    except BrokenPipeError:  # as with `| head`: who listened has heard enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except KeyboardInterrupt:
        return OK if args.cmd in ("watch", "events") else INTERRUPTED
    return code


def _run(args: argparse.Namespace) -> int:
    request = {k: v for k, v in vars(args).items() if k in FIELDS and v}
    if getattr(args, "time", None):
        request["time"] = " ".join(args.time)
    path = args.socket or places.found_socket(args.state)
    try:
        if args.cmd == "watch":
            return _watch(path, args)
        if "follow" in request:
            return _follow(path, request, args.json)
        return _show(_explained(_answer(path, request, args), args), args)
    except PermissionError:
        return _fail(f"refused: no permission to speak to {path}", REFUSED_UID)
    except (Unanswered, StoreError) as e:
        return _fail(str(e), NO_DAEMON)


def _fail(text: str, code: int) -> int:
    print(tables.clean(text), file=sys.stderr)
    return code


def _state(args: argparse.Namespace) -> Path | None:
    """Where to read when no daemon answers; nowhere, if the daemon meant was named by its socket alone."""
    state: Path = args.state or places.found_state()
    return None if args.socket and not args.state else state


def _answer(path: Path, request: Answer, args: argparse.Namespace) -> Answer:
    """The daemon's, or the state's own where nobody listens and that will do."""
    try:
        with Line(path, PATIENCE) as line:
            (answer,) = line.ask(request)
        return answer
    except Absent:
        state = _state(args)
        if args.cmd not in READS or state is None:
            raise
    (answer,) = _stored(state, request)
    return answer


def _explained(answer: Answer, args: argparse.Namespace) -> Answer:
    """A bar on which nothing was sought, with what it looked at: computed again here, for it takes its time."""
    state, seal = _state(args), answer.pop("seal", None)
    if seal is None or state is None:
        return answer
    from fluxhero.section import ConfigError
    from fluxhero.store import recount

    try:
        return {**answer, **recount.explained(state, answer["symbol"], seal)}
    except (StoreError, ConfigError) as e:
        return {**answer, "why": f"{answer['why']}\nWhat it looked at cannot be told: {e}"}


def _stored(state: Path, *requests: Answer) -> list[Answer]:
    """Straight from the state."""
    reader = Reader(state)
    try:
        return [_read(reader, **request) for request in requests]
    finally:
        reader.close()


def _read(reader: Reader, cmd: str, **query: Any) -> Answer:
    try:
        answer = reader.answer(cmd, Query(**query))
    except NotFound as e:
        return {"ok": False, "kind": "not_found", "error": str(e)}
    except BadQuery as e:
        return {"ok": False, "kind": "bad_request", "error": str(e)}
    return {"ok": True, **answer, **({"running": False} if cmd == "status" else {})}


def _show(answer: Answer, args: argparse.Namespace) -> int:
    if args.json:
        print(json.dumps(answer))
    elif answer["ok"]:
        return _say(answer, args)
    else:
        print(tables.clean(answer["error"]), file=sys.stderr)
    return OK if answer["ok"] else _code(answer, args.cmd)


def _say(answer: Answer, args: argparse.Namespace) -> int:
    """For a person; a report as a page, where a file is named."""
    if args.cmd != "report" or "limits" not in answer:
        print(tables.text(args.cmd, answer))
        return OK
    from fluxhero.operate import riskpage, riskreport

    if args.html is None or str(args.html) == "-":
        print((riskreport.text if args.html is None else riskpage.page)(answer))
        return OK
    try:
        args.html.write_text(riskpage.page(answer), encoding="utf-8")
    except OSError as e:
        return _fail(f"{args.html} cannot be written: {e.strerror}", GAVE_UP)
    print(f"wrote {args.html}")
    return OK


def _code(refusal: Answer, cmd: str) -> int:
    code = EXITS.get(str(refusal.get("kind")))
    if code is not None:
        return code
    if "refused uid" in refusal["error"]:
        return REFUSED_UID
    return NO_INPUT if cmd in READS else USAGE


def _follow(path: Path, request: Answer, raw: bool) -> int:
    """Prints what happens until the daemon goes."""
    with Line(path, PATIENCE) as line:
        for text, event in line.follow(request):
            if event.get("ok") is False:
                return _fail(str(event.get("error")), _code({"error": "", **event}, "events"))
            print(text if raw else tables.event(event), flush=True)
    raise Absent(f"the daemon at {path} has gone")


def _watch(path: Path, args: argparse.Namespace) -> int:
    from fluxhero.operate import watch

    state = _state(args)
    stored = partial(_stored, state, *watch.ASKED) if state else list[Answer]
    with closing(watch.Poll(partial(Line, path, GLANCE), stored)) as poll:
        if not args.once:
            watch.show(poll, args.interval, args.json)
        answers = poll()
    watch.show_once(answers, args.json)
    return OK if "status" in answers else _code(answers["trouble"], args.cmd)
