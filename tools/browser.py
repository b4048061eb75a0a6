"""Headless Chromium through its own protocol: requests, console errors and screenshots of pages."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tornado.websocket import WebSocketClientConnection, websocket_connect

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@dataclass(frozen=True)
class View:
    """A window size and theme. ``media`` "print" shows the print layout."""

    name: str
    width: int
    height: int
    dark: bool = False
    media: str = ""


VIEWS = (View("light", 1280, 900), View("dark", 1280, 900, dark=True), View("phone", 390, 844))


@dataclass
class Visit:
    """The events on one page."""

    page: str
    view: View
    requests: list[str] = field(default_factory=list)  # all requested addresses except file, data and blob
    errors: list[str] = field(default_factory=list)  # exceptions and console errors
    values: Any = None  # result of ``script``
    image: bytes = b""


def executable() -> str | None:
    """The browser's path, or None without a browser."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def visit(
    pages: Iterable[Path | str],
    views: Iterable[View] = VIEWS,
    *,
    script: str = "null",
    picture: bool = False,
    full: bool = True,
    as_reader: bool = False,
) -> list[Visit]:
    """Open each page from disk in each view. ``script`` is evaluated after loading.

    Args:
        pages: paths, or "file:" addresses with a query.
        as_reader: pages may not read other files with scripts, as in a browser started without options.

    Raises:
        FileNotFoundError: no browser.
    """
    program = executable()
    if program is None:
        raise FileNotFoundError(f"no browser found; looked for {', '.join(NAMES)}")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [
            program,
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-extensions",
            *([] if as_reader else ["--allow-file-access-from-files"]),
            "--remote-debugging-port=0",
            f"--user-data-dir={profile}",
            "about:blank",
        ]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            jobs = [Visit(str(page), view) for page in pages for view in views]
            asyncio.run(_all(Path(profile), jobs, script, picture, full))
        finally:
            process.terminate()
            process.wait(timeout=20)
    return jobs


async def _all(profile: Path, jobs: list[Visit], script: str, picture: bool, full: bool) -> None:
    port_file = profile / "DevToolsActivePort"
    for _ in range(300):
        if port_file.exists() and len(port_file.read_text().splitlines()) == 2:
            break
        await asyncio.sleep(0.1)
    port, path = port_file.read_text().splitlines()
    socket = await websocket_connect(f"ws://127.0.0.1:{port}{path}", max_message_size=1 << 28)
    tab = _Tab(socket)
    target = (await tab.call("Target.createTarget", url="about:blank"))["targetId"]
    tab.session = (await tab.call("Target.attachToTarget", targetId=target, flatten=True))["sessionId"]
    for domain in ("Page", "Runtime", "Log", "Network"):
        await tab.call(f"{domain}.enable")
    for job in jobs:
        await _one(tab, job, script, picture, full)
    socket.close()


async def _one(tab: _Tab, job: Visit, script: str, picture: bool, full: bool) -> None:
    view = job.view
    await tab.call("Page.navigate", url="about:blank")
    await tab.resize(view.width, view.height)
    scheme = "dark" if view.dark else "light"
    preferred = [{"name": "prefers-color-scheme", "value": scheme}]
    await tab.call("Emulation.setEmulatedMedia", media=view.media, features=preferred)
    await tab.call("Log.clear")
    tab.events.clear()
    address = job.page if job.page.startswith("file:") else Path(job.page).resolve().as_uri()
    await tab.call("Page.navigate", url=address)
    await tab.wait_for("Page.loadEventFired")
    # mathematics is typeset after loading
    await tab.evaluate("window.MathJax?.startup?.promise ? MathJax.startup.promise.then(() => 0) : 0")
    await asyncio.sleep(0.2)
    job.values = await tab.evaluate(script)
    if picture:
        size = (await tab.call("Page.getLayoutMetrics"))["cssContentSize"]
        if full:  # a window as high as the page, because capturing beyond the window shifts sticky parts
            await tab.resize(view.width, min(int(size["height"]), 12000))
            await asyncio.sleep(0.2)
        shot = await tab.call("Page.captureScreenshot", format="png")
        job.image = base64.b64decode(shot["data"])
    for event in tab.events:
        _note(job, event["method"], event["params"])


def _note(job: Visit, method: str, params: dict[str, Any]) -> None:
    if method == "Network.requestWillBeSent":
        address = params["request"]["url"]
        if not address.startswith(("file:", "data:", "blob:", "about:")):
            job.requests.append(address)
    elif method == "Runtime.exceptionThrown":
        details = params["exceptionDetails"]
        job.errors.append(details.get("exception", {}).get("description") or details["text"])
    elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "assert"):
        job.errors.append(" ".join(str(a.get("value", a.get("description", ""))) for a in params["args"]))
    elif method == "Log.entryAdded" and params["entry"]["level"] == "error":
        job.errors.append(f"{params['entry']['text']} {params['entry'].get('url', '')}".strip())


_TRIES = 5  # at a script, if the page is on its way to another


class _Tab:
    """Requests and events of the protocol, one at a time."""

    def __init__(self, socket: WebSocketClientConnection) -> None:
        self.socket, self.session, self.number = socket, None, 0
        self.events: list[dict[str, Any]] = []

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        self.number += 1
        number = self.number
        message: dict[str, Any] = {"id": number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        await self.socket.write_message(json.dumps(message))
        while True:
            answer = await self._read()
            if answer.get("id") == number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                result: dict[str, Any] = answer["result"]
                return result

    async def resize(self, width: int, height: int) -> None:
        await self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )

    async def wait_for(self, method: str) -> None:
        while not any(event["method"] == method for event in self.events):
            await self._read()

    async def evaluate(self, script: str) -> Any:
        for left in reversed(range(_TRIES)):
            try:
                answer = await self.call(
                    "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
                )
                break
            except RuntimeError as error:  # a page that leaves by itself takes its script with it
                if not left or "navigated" not in str(error):
                    raise
                await asyncio.sleep(0.2)
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            raise RuntimeError(
                f"the script failed: {details.get('exception', {}).get('description') or details['text']}"
            )
        return answer["result"].get("value")

    async def _read(self) -> dict[str, Any]:
        text = await asyncio.wait_for(self.socket.read_message(), timeout=60)
        if text is None:
            raise RuntimeError("the browser closed the connection")
        message: dict[str, Any] = json.loads(text)
        if "method" in message:
            self.events.append(message)
        return message
