"""The apps as they run: `python app.py` beside a served Hopsworks filled by the real pipelines, in
a real Chromium."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests import chromium, ports
from tests.axe import assert_accessible
from tests.warm import WarmPython

from .modules import REPOSITORY

PROGRAMS = Path(__file__).resolve().parent / "programs"
PATIENCE = 60_000  # milliseconds; on a busy machine a browser is slow
# Gradio cuts off what is too wide, so it need not make the page scroll
SIDEWAYS = """[...document.querySelectorAll("main *")]
    .filter(part => part.getBoundingClientRect().right > innerWidth + 1)
    .map(part => part.outerHTML.slice(0, 100))"""
TRANSITIONS_DONE = """Promise.all(document.getAnimations()
    .filter(one => one.effect.getComputedTiming().endTime !== Infinity)
    .map(one => one.finished.catch(() => null)))"""


class Hopsworks:
    """`python -m local_hopsworks serve` over one store, to be stopped and started again on the same
    port."""

    def __init__(
        self, home: Path, warm: WarmPython, environment: dict[str, str], project: str = "local"
    ) -> None:
        self.home, self.warm, self.project = home, warm, project
        self.port = str(ports.steady())
        self.environment = {
            **environment,
            "LOCAL_HOPSWORKS_HOME": str(home),
            "HOPSWORKS_PROJECT": project,
        }
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "local_hopsworks", "serve", "--port", self.port]
        self.process = self.warm.start(
            command, env=self.environment, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
        )
        said = ""
        for line in self.process.stdout:
            said += line
            if line.startswith("Ctrl-C"):
                break
        self.login = dict(re.findall(r"export (HOPSWORKS_\w+)=(\S+)", said))
        assert self.login, f"no Hopsworks is served: {said}"

    def stop(self) -> None:
        self.process.terminate()
        self.process.communicate(timeout=60)

    def program(self, *command: str | Path, **variables: str) -> str:
        """Run a program to its end against this store, and return what it printed."""
        environment = {**self.environment, **variables}
        done = self.warm.run(
            [sys.executable, *command],
            timeout=180,
            env=environment,
            cwd=REPOSITORY,
            stderr=subprocess.STDOUT,
        )
        assert done.returncode == 0, (
            f"{command} ended with {done.returncode}:\n{done.stdout[-3000:]}"
        )
        return done.stdout

    def sdk(self, name: str, *arguments: str | Path) -> None:
        """Run programs/{name} with the SDK, which finds this Hopsworks by its variables.

        The one connection of this process is for others.
        """
        self.program(PROGRAMS / name, *arguments, **self.login)


@pytest.fixture(scope="module")
def make_hopsworks(
    tmp_path_factory: pytest.TempPathFactory, environment: dict, warm: WarmPython
) -> Iterator[Callable[..., Hopsworks]]:
    # To the end of the file only: apps that look for news twice a second would slow down all that
    # comes after
    made: list[Hopsworks] = []

    def make(start: Path | None = None) -> Hopsworks:
        home = tmp_path_factory.mktemp("hopsworks")
        if start:
            shutil.copytree(start, home, dirs_exist_ok=True)
        made.append(Hopsworks(home / "store", warm, environment))
        return made[-1]

    yield make
    for hopsworks in made:
        hopsworks.stop()


@pytest.fixture(scope="module")
def hopsworks(make_hopsworks: Callable[..., Hopsworks], trained: Path) -> Hopsworks:
    """A Hopsworks in which the pipelines have stored the historical passengers and a model."""
    return make_hopsworks(trained)


class App:
    """`python app.py`, on a port that it chooses and prints."""

    def __init__(
        self, folder: Path, warm: WarmPython, environment: dict[str, str], log: Path
    ) -> None:
        self._log = log
        with log.open("w") as output:
            self.process = warm.start(
                [sys.executable, "app.py"],
                cwd=folder,
                env={**environment, "PYTHONUNBUFFERED": "1"},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        deadline = time.monotonic() + 180
        while not (address := re.search(r"app: (http://\S+)\n", self.log())):
            stopped = self.process.poll() is not None
            assert not stopped and time.monotonic() < deadline, f"{folder.name}:\n{self.log()}"
            time.sleep(0.1)
        self.url = address[1]

    def log(self) -> str:
        return self._log.read_text()

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(60)


@pytest.fixture(scope="module")
def start_app(
    tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str], warm: WarmPython
) -> Iterator[Callable[..., App]]:
    started: list[App] = []

    def start(folder: Path, **variables: str) -> App:
        place = tmp_path_factory.mktemp("app")
        own = {"REFRESH_SECONDS": "0.5", **variables}
        started.append(App(folder, warm, {**environment, **own}, place / "log"))
        return started[-1]

    yield start
    for app in started:
        app.stop()
    for app in started:
        assert "Traceback" not in app.log(), app.log()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=PATIENCE)
    with chromium.started() as launched:
        yield launched


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Open an address in a new window. None may ask another host, log an error, scroll sideways or
    be loaded anew."""
    opened: list[tuple[Page, list[str]]] = []

    def visit(url: str, width: int = 1280, scheme: str = "light") -> Page:
        context = browser.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme)
        context.set_default_timeout(PATIENCE)
        page, wrong = context.new_page(), []
        page.on(
            "request",
            lambda request: _is_ours(request.url, url) or wrong.append(f"asks {request.url}"),
        )
        page.on(
            "console",
            lambda message: message.type == "error" and wrong.append(f"console: {message.text}"),
        )
        page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
        opened.append((page, wrong))
        page.goto(url)
        page.evaluate("window.sameDocument = true")
        return page

    yield visit
    for page, wrong in opened:
        assert not wrong, wrong
        assert page.evaluate("window.sameDocument"), "the document was loaded anew"
        assert page.evaluate(SIDEWAYS) == []
        page.context.close()


def _is_ours(asked: str, url: str) -> bool:
    return asked.startswith((url.split("?")[0], "data:", "blob:"))


@pytest.fixture(scope="module")
def look() -> Callable[[Page, str], None]:
    def at_all_sizes(page: Page, state: str) -> None:
        """Judge the page by axe-core, on a phone by night and on a desktop by day.

        With SCREENSHOTS=1, each is saved as tests/screenshots/{state}_{width}_{scheme}.png.
        """
        size = page.viewport_size
        page.mouse.move(0, 0)
        for width, scheme in ((390, "dark"), (1280, "light")):
            page.set_viewport_size({"width": width, "height": 844})
            page.emulate_media(color_scheme=scheme)
            expect(page.locator("body.dark")).to_have_count(1 if scheme == "dark" else 0)
            page.evaluate(TRANSITIONS_DONE)
            assert_accessible(page)
            chromium.photograph(page, f"{state}_{width}_{scheme}")
            assert page.evaluate(SIDEWAYS) == []
        page.set_viewport_size(size)

    return at_all_sizes
