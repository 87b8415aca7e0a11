"""Chromium without a window, told what to do over a pipe: Debian's, or whatever goes by that name."""

from __future__ import annotations

import os
import selectors
import shutil
import subprocess
import tempfile
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import F_DUPFD_CLOEXEC, fcntl
from pathlib import Path
from typing import Any

import msgspec

PATIENCE = 60.0  # s that an answer may take on a busy machine
FOUND = shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--remote-debugging-pipe",
)  # fmt: skip

Answer = dict[str, Any]


class Browser:
    """One page at a time; `troubles`: what it complained of, `asked`: what it would have loaded."""

    def __init__(self, reads: int, writes: int) -> None:
        self._reads, self._writes, self._count, self._rest = reads, writes, 0, b""
        self._session: str | None = None
        self._target: str | None = None
        self._loaded = False
        self._ready = selectors.DefaultSelector()
        self._ready.register(reads, selectors.EVENT_READ)
        self.troubles: list[str] = []
        self.asked: list[str] = []

    def call(self, method: str, **params: Any) -> Answer:
        self._count += 1
        sent = {"id": self._count, "method": method, "params": params}
        whole = sent if self._session is None else {**sent, "sessionId": self._session}
        os.write(self._writes, msgspec.json.encode(whole) + b"\0")
        for said in self._said():
            if said.get("id") == self._count:
                assert "error" not in said, f"{method}: {said['error']}"
                found: Answer = said["result"]
                return found
        raise AssertionError(f"{method}: the browser hung up")

    def _said(self) -> Iterator[Answer]:
        while True:
            while b"\0" in self._rest:
                one, _, self._rest = self._rest.partition(b"\0")
                yield self._heard(msgspec.json.decode(one))
            assert self._ready.select(PATIENCE), f"the browser said nothing for {PATIENCE:g} s"
            more = os.read(self._reads, 1 << 20)
            if not more:
                return
            self._rest += more

    def _heard(self, said: Answer) -> Answer:
        params = said.get("params", {})
        match said.get("method"):
            case "Runtime.exceptionThrown":
                self.troubles.append(str(params["exceptionDetails"]))
            case "Runtime.consoleAPICalled" if params["type"] in ("error", "warning", "assert"):
                self.troubles.append(str(params["args"]))
            case "Log.entryAdded":
                self.troubles.append(str(params["entry"]["text"]))
            case "Page.loadEventFired":
                self._loaded = True
            case "Network.requestWillBeSent":
                self.asked.append(params["request"]["url"])
        return said

    def open(self, path: Path, width: int = 1400, height: int = 900, dark: bool = False) -> None:
        """Until it has loaded and drawn."""
        old, self._session = self._target, None
        self._target = self.call("Target.createTarget", url="about:blank")["targetId"]
        if old is not None:
            self.call("Target.closeTarget", targetId=old)
        self._session = self.call("Target.attachToTarget", targetId=self._target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.troubles, self.asked, self._loaded = [], [], False
        self.size(width, height)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call("Page.navigate", url=path.as_uri())
        said = self._said()
        while not self._loaded:
            next(said)
        self.drawn()

    def size(self, width: int, height: int) -> None:
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def drawn(self) -> None:
        self.run("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done())))")

    def run(self, script: str) -> Any:
        """What it comes to, promises awaited."""
        answer = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def point(self, x: float, y: float) -> None:
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
        self.drawn()

    def shot(self, whole: bool = True) -> bytes:
        return b64decode(self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)["data"])

    def paper(self) -> bytes:
        return b64decode(self.call("Page.printToPDF", printBackground=True, preferCSSPageSize=True)["data"])


def _pipe() -> list[int]:
    """Of numbers that are not those of the two that the browser wants."""
    low = os.pipe()
    high = [fcntl(end, F_DUPFD_CLOEXEC, 10) for end in low]
    for end in low:
        os.close(end)
    return high


@contextmanager
def browser() -> Iterator[Browser]:
    assert FOUND is not None
    (hears, tells), (listens, says) = _pipe(), _pipe()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        started = subprocess.Popen(
            ["bash", "-c", f'exec "$0" "$@" 3<&{hears} 4>&{says}', FOUND, *ARGUMENTS, f"--user-data-dir={home}"],
            pass_fds=(hears, says), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
            env={**os.environ, "HOME": home},
        )  # fmt: skip
        os.close(hears)
        os.close(says)
        try:
            yield Browser(listens, tells)
        finally:
            os.close(tells)
            os.close(listens)
            try:
                started.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(started.pid, 9)
                started.wait()
