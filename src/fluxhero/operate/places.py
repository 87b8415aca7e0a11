"""Where a daemon keeps its state and listens, and where to look for one."""

from __future__ import annotations

import os
from pathlib import Path

SERVICE = Path("/var/lib/fluxhero"), Path("/run/fluxhero")  # state and socket under systemd/fluxhero.service
SOCKET = "control.sock"


def state() -> Path:
    """$STATE_DIRECTORY, else XDG's."""
    if "STATE_DIRECTORY" in os.environ:
        return Path(os.environ["STATE_DIRECTORY"])
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "fluxhero"


def socket(given: Path | None) -> Path:
    """In the state that was `given`, else in $RUNTIME_DIRECTORY, else in the state."""
    if given is not None:
        return given / SOCKET
    return Path(os.environ.get("RUNTIME_DIRECTORY") or state()) / SOCKET


def found_state() -> Path:
    """Ours, or the service's where we have none."""
    return SERVICE[0] if not state().exists() and SERVICE[0].exists() else state()


def found_socket(given: Path | None) -> Path:
    """Ours, or the service's where we have no state."""
    service = SERVICE[1] / SOCKET
    ours = given is not None or "RUNTIME_DIRECTORY" in os.environ or state().exists()
    return socket(given) if ours or not service.exists() else service
