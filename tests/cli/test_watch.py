"""`maker-graph watch`: what it prints, whom it lets in, and which runs it shows."""

import json
import re
import signal
import socket
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from maker_graph.cli.watch import _finder
from maker_graph.errors import UsageError
from tests.conftest import Cli
from tests.survival.harness import Child, Children, wait_until


def served(children: Children, folder: Path, *args: str) -> tuple[Child, str]:
    child = children.start(folder, "command", args=["watch", "--port", "0", *args])
    out = folder / f"{child.pid}.out"
    wait_until(lambda: out.exists() and "\n" in out.read_text())
    found = re.search(r"http://\S+", out.read_text())
    assert found
    return child, found[0]


def status(url: str, **headers: str) -> int:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10) as got:  # noqa: S310  on 127.0.0.1
            return int(got.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_it_prints_an_address_with_a_token_and_lets_in_who_has_it(children: Children, tmp_path: Path) -> None:
    child, url = served(children, tmp_path)
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/\?token=[\w-]{32}", url)
    assert status(url) == 200
    assert status(url.partition("?")[0]) == 403
    assert status(url, Host="evil.example") == 403
    assert status(url, Origin="http://evil.example") == 403
    with urllib.request.urlopen(url.replace("/?", "/events?"), timeout=10) as stream:  # noqa: S310  on 127.0.0.1
        lines = [stream.readline().decode().strip() for _ in range(5)]
    assert lines[0].startswith("retry:")
    assert json.loads(lines[4].removeprefix("data: ")) == {"all": True, "runs": {}, "chosen": None, "more": 0}
    child.send(signal.SIGTERM)
    assert child.wait(60) in {0, 130}, child.said
    assert "Traceback" not in child.said[1]


def test_all_runs_of_the_folder_are_found_the_last_changed_first_and_named_ones_in_their_order(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("b", "a"):
        assert cli("run", "hanoi", "--disks", "2", "--model", "sim:perfect", "--k", "1", "--run", name, "-q").returncode == 0
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "other").mkdir()
    assert [found.home.name for found in _finder([], None)().runs] == ["a", "b"]
    assert [found.home.name for found in _finder(["b", "runs/a", "b"], None)().runs] == ["b", "a"]
    with pytest.raises(UsageError, match="is not a run"):
        _finder(["nothing"], None)


def test_what_cannot_be_served_is_one_sentence(cli: Cli) -> None:
    for args, says in (
        (("nothing",), "is not a run"),
        (("--task", "a:B"), "name that run"),
        (("--host", "192.0.2.1", "--port", "0"), "another --host"),
        (("--host", "nothing.invalid", "--port", "0"), "cannot be used"),
    ):
        done = cli("watch", *args)
        assert (done.returncode, says in done.stderr, len(done.stderr.splitlines())) == (2, True, 1), done.stderr


@pytest.mark.parametrize("host", ["", "0", "::0"])
def test_however_all_addresses_are_said_the_name_of_the_machine_is_shown(children: Children, tmp_path: Path, host: str) -> None:
    child, url = served(children, tmp_path, "--host", host)
    assert url.startswith(f"http://{socket.gethostname()}:")
    wait_until(lambda: "Other machines can reach it" in child.said[1])
    child.send(signal.SIGTERM)
    child.wait(60)
