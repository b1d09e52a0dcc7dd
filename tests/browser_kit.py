"""A page in headless Chromium, driven by its own protocol over a pipe (chromedevtools.github.io/devtools-protocol): nothing
to install, no port."""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from patience import PATIENCE

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
# Names of hosts lead nowhere: only this machine is asked.
_FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--mute-audio"),
    *("--disable-background-networking", "--disable-component-update", "--disable-extensions", "--hide-scrollbars"),
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
)
# What a key is called, and its code of old.
_KEYS = {"ArrowLeft": 37, "ArrowRight": 39, "Home": 36, "End": 35, "Tab": 9, "Enter": 13, "Escape": 27}


class BrowserError(Exception):
    """The browser will not do what it was asked."""


class Browser:
    """One tab. What its page writes to the console as an error, and what its policy refuses, is in `errors`; the addresses
    that it asked for are in `asked`."""

    def __init__(self, process: subprocess.Popen[bytes], to: int, back: int) -> None:
        self._process, self._to, self._back = process, to, back
        self._buffer, self._number, self._loaded = b"", 0, 0
        self._session: str | None = None
        self.errors: list[str] = []
        self.asked: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """What the browser answers."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while (answer := self._next()).get("id") != self._number:
            pass
        if "error" in answer:
            raise BrowserError(answer["error"]["message"])
        result: dict[str, Any] = answer["result"]
        return result

    def open(self, address: Path | str, *, width: int = 1200, height: int = 900, scripts: bool = True) -> None:
        """Show a file, and wait until it is there."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.call("Emulation.setDeviceMetricsOverride", **metrics)
        self.call("Emulation.setScriptExecutionDisabled", value=not scripts)
        before = self._loaded
        self.call("Page.navigate", url=address.as_uri() if isinstance(address, Path) else address)
        self._until(lambda: self._loaded > before)

    def ask(self, script: str) -> Any:
        """The value of an expression in the page, which may be a promise."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def until(self, script: str) -> None:
        """Wait for an expression to be true, in this page or in the one that comes."""
        end = time.monotonic() + PATIENCE
        while True:
            with contextlib.suppress(BrowserError):  # between two pages
                if self.ask(script):
                    return
            assert time.monotonic() < end, script

    def holds(self, script: str) -> bool:
        """Is an expression true? In a page that is being left, or is not there yet, none is."""
        with contextlib.suppress(BrowserError):
            return bool(self.ask(f"!!(document.body && ({script}))"))
        return False

    def says(self, words: str) -> bool:
        """Does the page show these words?"""
        return self.holds(f"document.body.innerText.includes({json.dumps(words)})")

    def texts(self, selector: str) -> list[str]:
        """The texts of the elements that are seen."""
        found: list[str] = self.ask(
            f"[...document.querySelectorAll({json.dumps(selector)})].filter((e) => e.checkVisibility())"
            ".map((e) => e.textContent.trim().replace(/\\s+/g, ' '))"
        )
        return found

    def click(self, selector: str) -> None:
        """As a mouse does: an element that is covered is not hit."""
        quoted = json.dumps(selector)
        self.ask(f"document.querySelector({quoted}).scrollIntoView({{block: 'center'}})")
        x, y = self.ask(
            f"(({{x, y, width, height}}) => [x + width / 2, y + height / 2])"
            f"(document.querySelector({quoted}).getBoundingClientRect())"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def press(self, *keys: str) -> None:
        """Keys by name, one after the other."""
        for key in keys:
            about = {"key": key, "code": key, "windowsVirtualKeyCode": _KEYS[key]}
            text = {"text": "\r"} if key == "Enter" else {}
            self.call("Input.dispatchKeyEvent", type="keyDown", **about, **text)
            self.call("Input.dispatchKeyEvent", type="keyUp", **about)

    def type(self, selector: str, text: str) -> None:
        """Text into a field."""
        self.ask(f"document.querySelector({json.dumps(selector)}).focus()")
        self.call("Input.insertText", text=text)

    def choose(self, selector: str, value: str) -> None:
        """An entry of a list."""
        element = f"document.querySelector({json.dumps(selector)})"
        self.ask(f"{element}.value = {json.dumps(value)}; {element}.dispatchEvent(new Event('change'))")

    def picture(self, path: Path, *, whole: bool = False) -> None:
        """The page as a PNG."""
        data = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)["data"]
        path.write_bytes(base64.b64decode(data))

    def _until(self, done: Any) -> None:
        end = time.monotonic() + PATIENCE
        while not done():
            assert time.monotonic() < end
            self._next()

    def _next(self) -> dict[str, Any]:
        """The next message; notes what an event tells."""
        end = time.monotonic() + PATIENCE
        while b"\0" not in self._buffer:
            assert time.monotonic() < end, "the browser says nothing"
            if select.select([self._back], [], [], 1)[0]:
                data = os.read(self._back, 2**20)
                assert data, "the browser is gone"
                self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        about = message.get("params", {})
        match message.get("method"):
            case "Page.loadEventFired":
                self._loaded += 1
            case "Log.entryAdded" if about["entry"]["level"] == "error":
                self.errors.append(about["entry"]["text"])
            case "Runtime.exceptionThrown":
                self.errors.append(str(about["exceptionDetails"]))
            case "Network.requestWillBeSent":
                self.asked.append(about["request"]["url"])
        return message


@contextlib.contextmanager
def browser() -> Iterator[Browser]:
    """A browser with a profile of its own, which is gone afterwards."""
    assert CHROMIUM
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        theirs, to = os.pipe()
        back, ours = os.pipe()
        high = [fcntl.fcntl(number, fcntl.F_DUPFD, 50) for number in (theirs, ours)]  # out of the way of 3 and 4
        words = ["sh", "-c", f'exec "$@" 3</proc/self/fd/{high[0]} 4>/proc/self/fd/{high[1]}', "sh", CHROMIUM, *_FLAGS]
        words += ["--remote-debugging-pipe", f"--user-data-dir={profile}"]
        process = subprocess.Popen(
            words, pass_fds=high, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for number in (theirs, ours, *high):
            os.close(number)
        try:
            yield Browser(process, to, back)
        finally:
            process.terminate()
            process.wait(PATIENCE)
            os.close(to)
            os.close(back)
