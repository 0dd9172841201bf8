"""A few commands of the WebDriver protocol: enough to look at a page in a real browser."""

import base64
import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import contextmanager

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
DRIVER = shutil.which("chromedriver")
available = bool(CHROMIUM and DRIVER)

_FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--hide-scrollbars",
)  # fmt: skip


class Page:
    """A page in the browser."""

    def __init__(self, address, session):
        self._root = f"{address}/session/{session}"

    def open(self, path):
        _ask("POST", f"{self._root}/url", {"url": path.resolve().as_uri()})

    def run(self, script, *arguments):
        """Run JavaScript, and return what it returns."""
        return _ask(
            "POST", f"{self._root}/execute/sync", {"script": script, "args": list(arguments)}
        )

    def wait_for(self, script, seconds=10.0):
        """Wait until JavaScript returns something true, and return it."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = self.run(script)
            if found:
                return found
            time.sleep(0.05)
        raise AssertionError(f"not within {seconds} seconds: {script}")

    def complaints(self):
        """Return what the console was told since the last time."""
        entries = _ask("POST", f"{self._root}/se/log", {"type": "browser"})
        return [entry["message"] for entry in entries if entry["level"] in ("SEVERE", "WARNING")]

    def picture(self, path):
        path.write_bytes(base64.b64decode(_ask("GET", f"{self._root}/screenshot")))

    def command(self, name, **parameters):
        """Send a command of the browser's developer tools."""
        return _ask("POST", f"{self._root}/goog/cdp/execute", {"cmd": name, "params": parameters})


@contextmanager
def page(width=360, height=740, scale=2):
    """Yield a page as wide as a phone."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    driver = subprocess.Popen(
        [DRIVER, f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    address = f"http://127.0.0.1:{port}"
    session = None
    try:
        _until_ready(address)
        options = {
            "binary": CHROMIUM,
            "args": list(_FLAGS),
            "mobileEmulation": {
                "deviceMetrics": {"width": width, "height": height, "pixelRatio": scale}
            },
        }
        wanted = {
            "browserName": "chrome",
            "goog:chromeOptions": options,
            "goog:loggingPrefs": {"browser": "ALL"},
        }
        made = _ask("POST", f"{address}/session", {"capabilities": {"alwaysMatch": wanted}})
        session = made["sessionId"]
        yield Page(address, session)
    finally:
        if session is not None:
            _ask("DELETE", f"{address}/session/{session}")
        driver.terminate()
        driver.wait(timeout=20)


def _until_ready(address):
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            if _ask("GET", f"{address}/status")["ready"]:
                return
        except OSError:
            time.sleep(0.05)
    raise AssertionError("chromedriver does not answer")


def _ask(method, address, content=None):
    body = None if content is None else json.dumps(content).encode()
    request = urllib.request.Request(
        address, body, {"Content-Type": "application/json"}, method=method
    )
    # No proxy: the driver is on this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=60) as answer:
            return json.load(answer)["value"]
    except urllib.error.HTTPError as error:
        raise AssertionError(json.load(error)["value"]["message"]) from None
