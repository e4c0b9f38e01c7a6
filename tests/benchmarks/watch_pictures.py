"""Make the two pictures of docs/watch.md: a run at work, and open items that wait for a person.

    python tests/benchmarks/watch_pictures.py

The runs are simulated. It needs Chromium, as the tests of the page do.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from playwright.sync_api import Browser, expect, sync_playwright

from tests.report.conftest import CHROMIUM, FLAGS

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "maker_graph.cli"]
HANOI = ("hanoi", "--disks", "9", "--model", "sim:perfect,error=.08,flagged=.05,latency=0.05", "--k", "3", "--run", "hanoi-9")
RECORDS = (
    *("records", "--input", str(ROOT / "examples" / "records" / "records.csv"), "--out", "clean.csv", "--run", "records-1"),
    *("--model", "sim:gpt-oss-20b,error=.3,rho=.5", "--k", "3", "--within", "3"),
)


class Shot(NamedTuple):
    """A picture: its file in docs, the run, the height, the scheme, and a pattern of what must stand on the page first."""

    name: str
    run: str
    height: int
    dark: bool
    ready: str

    def take(self, browser: Browser, url: str) -> None:
        """Keep the picture as soon as the page is ready."""
        context = browser.new_context(
            viewport={"width": 1080, "height": self.height}, color_scheme="dark" if self.dark else "light"
        )
        tab = context.new_page()
        tab.goto(url)
        tab.locator(".runs button", has_text=self.run).click()
        expect(tab.locator("#run")).to_contain_text(re.compile(self.ready), timeout=60_000)
        tab.wait_for_timeout(700)
        tab.screenshot(path=ROOT / "docs" / self.name)
        context.close()


SHOTS = [
    Shot("watch-run.png", "hanoi-9", 1640, dark=False, ready=r"([6-9]\d|\d{3}) of 511 steps"),
    Shot("watch-answer.png", "records-1", 1330, dark=True, ready="Your answer to"),
]


def main() -> None:
    """Make them."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        subprocess.run([*COMMAND, "run", *RECORDS, "-q"], cwd=folder, check=False, stderr=subprocess.DEVNULL)
        run = subprocess.Popen([*COMMAND, "run", *HANOI, "-q"], cwd=folder, stderr=subprocess.DEVNULL)
        watch = subprocess.Popen([*COMMAND, "watch", "--port", "0"], cwd=folder, stdout=subprocess.PIPE, text=True)
        assert watch.stdout is not None
        url = watch.stdout.readline().strip()
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for shot in SHOTS:
            shot.take(browser, url)
        browser.close()
        for process in (watch, run):
            process.terminate()
            process.wait()
        shutil.rmtree(Path(folder) / "runs", ignore_errors=True)


if __name__ == "__main__":
    main()
