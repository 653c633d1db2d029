"""A headless Chromium, driven by chromedriver over HTTP with the standard library alone."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.request import ProxyHandler, Request, build_opener

PACKAGES = "needs the Debian packages chromium and chromium-driver"
_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the key that the standard gives to elements
_LOCAL = build_opener(ProxyHandler({}))  # no proxy of the environment stands before this machine


def missing() -> bool:
    """Whether the browser or its driver is not installed."""
    return shutil.which("chromium") is None or shutil.which("chromedriver") is None


class Browser(NamedTuple):
    """One session of the browser."""

    session: str  # its address

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Send a command; return the value of its answer."""
        return _send(method, f"{self.session}{path}", body)

    def visit(self, page: Path) -> None:
        self.ask("POST", "/url", {"url": page.as_uri()})

    def run(self, script: str, *arguments: Any) -> Any:
        """The value that a function body returns in the page."""
        return self.ask("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def find(self, selector: str) -> str:
        """The path of the first element of a selector; an error if there is none."""
        body = {"using": "css selector", "value": selector}
        return f"/element/{self.ask('POST', '/element', body)[_ELEMENT]}"

    def click(self, selector: str) -> None:
        """A real click in the element's middle; an error if another element covers it."""
        self.ask("POST", f"{self.find(selector)}/click", {})

    def text(self, selector: str) -> str:
        """What a reader sees of an element."""
        return str(self.ask("GET", f"{self.find(selector)}/text"))

    def type(self, selector: str, text: str) -> None:
        self.ask("POST", f"{self.find(selector)}/value", {"text": text})

    def press(self, *keys: str) -> None:
        """Press keys, whatever has the focus."""
        actions = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        self.ask("POST", "/actions", {"actions": [{"type": "key", "id": "k", "actions": actions}]})

    def hover(self, selector: str) -> None:
        """Move the pointer over the middle of an element."""
        element = {_ELEMENT: self.find(selector).removeprefix("/element/")}
        move = {"type": "pointerMove", "duration": 0, "x": 0, "y": 0, "origin": element}
        body = {"type": "pointer", "id": "mouse", "actions": [move]}
        self.ask("POST", "/actions", {"actions": [body]})

    def resize(self, width: int, height: int) -> None:
        """Show the page as on a screen of this size."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.devtools("Emulation.setDeviceMetricsOverride", metrics)

    def prefer(self, scheme: str) -> None:
        """Prefer a light or dark page, and a still one, as the system's settings would."""
        wishes = {"prefers-color-scheme": scheme, "prefers-reduced-motion": "reduce"}
        features = [{"name": name, "value": value} for name, value in wishes.items()]
        self.devtools("Emulation.setEmulatedMedia", {"features": features})

    def devtools(self, command: str, parameters: dict[str, Any]) -> Any:
        body = {"cmd": command, "params": parameters}
        return self.ask("POST", "/goog/cdp/execute", body)

    def screenshot(self, path: Path) -> Path:
        path.write_bytes(base64.b64decode(self.ask("GET", "/screenshot")))
        return path

    def complaints(self) -> list[str]:
        """The messages of the console since the last call."""
        return [entry["message"] for entry in self.ask("POST", "/se/log", {"type": "browser"})]


@contextmanager
def browsing() -> Iterator[Browser]:
    """A browser that is closed at the end."""
    with subprocess.Popen(
        ["chromedriver", "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as driver:
        try:
            browser = _begin(f"http://127.0.0.1:{_port(driver)}")
            try:
                yield browser
            finally:
                browser.ask("DELETE", "")
        finally:
            driver.terminate()


def _port(driver: subprocess.Popen[str]) -> str:
    assert driver.stdout is not None
    for line in driver.stdout:
        if "successfully on port" in line:
            return line.rstrip(".\n").rpartition(" ")[2]
    raise AssertionError("chromedriver ended before it listened")


def _begin(driver: str) -> Browser:
    # In a container the browser cannot make a sandbox of its own; the pages are the tests' own.
    arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
    options = {
        "browserName": "chrome",
        "goog:chromeOptions": {"binary": shutil.which("chromium"), "args": arguments},
        "goog:loggingPrefs": {"browser": "ALL"},
    }
    answer = _send("POST", f"{driver}/session", {"capabilities": {"alwaysMatch": options}})
    return Browser(f"{driver}/session/{answer['sessionId']}")


def _send(method: str, address: str, body: Any) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = Request(address, data, {"Content-Type": "application/json"}, method=method)
    with _LOCAL.open(request, timeout=60) as answer:
        return json.load(answer)["value"]
