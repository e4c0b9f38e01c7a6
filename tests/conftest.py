"""What the tests share: a scripted chat model, the simulated model behind real HTTP, and the command line."""

import asyncio
import gc
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, chdir, contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from hypothesis import settings
from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langsmith.utils import get_env_var
from typer.testing import CliRunner

from maker_graph.cli import app
from tests.postgres import Postgres, server
from tests.services import see_to
from tests.survival.harness import Children

SHARED_MEMORY, ROOM = Path("/dev/shm"), 2 * 1024**3  # noqa: S108  pytest makes a folder of its own in it
if os.access(SHARED_MEMORY, os.W_OK) and shutil.disk_usage(SHARED_MEMORY).free >= ROOM:
    # A run waits for the disk at every commit, and the tests commit many thousand times. No test can see what a disk would
    # have kept when the power fails: those of crashes kill processes, and memory outlives them.
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(SHARED_MEMORY))

STATE = tempfile.TemporaryDirectory(prefix="maker-graph-tests-", dir=os.environ.get("PYTEST_DEBUG_TEMPROOT"))
"""Where runs leave their high-water marks: not in the home of whoever runs the tests."""

settings.register_profile("steady", deadline=None)  # a busy machine is not a failure
settings.load_profile("steady")
os.environ["LANGGRAPH_STRICT_MSGPACK"] = "true"
os.environ["XDG_STATE_HOME"] = STATE.name
for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "LANGSMITH_TRACING", "LANGSMITH_API_KEY", "MAKER_GRAPH_JOURNAL"):
    os.environ.pop(name, None)


MOST_PROCESSES = 8
"""Each has to import LangGraph, and has a fork server of its own."""


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Let `pytest` alone, the whole suite, take a process for each core; where files are named, one process is sooner done.

    `-n` and `-p no:xdist` are obeyed. Tests that share something costly are a group (`xdist_group`), and stay together.
    """
    whole = config.args_source is config.ArgsSource.TESTPATHS and not config.option.collectonly and not config.option.usepdb
    if whole and getattr(config.option, "numprocesses", 0) is None and not hasattr(config, "workerinput"):
        config.option.numprocesses = min(os.cpu_count() or 1, MOST_PROCESSES)
        config.option.dist = "loadgroup"


@pytest.hookimpl(tryfirst=True)
def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark what asks for a fixture of Postgres as in need of that service."""
    if {"postgres", "new_postgres"}.intersection(getattr(item, "fixturenames", ())):
        item.add_marker(pytest.mark.service("postgres"))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what needs a service that is not here, or fail it."""
    see_to(item)


Script = Callable[[int, str], str | AIMessage]

Cli: TypeAlias = Callable[..., subprocess.CompletedProcess[str]]
"""Runs `maker-graph ARGS` with an environment: how it ended, and what it said."""


class Scripted(BaseChatModel):
    """A chat model that replies what `script(sample index, last message)` says, after `delay(index)` seconds."""

    script: Script
    delay: Callable[[int], float] = lambda _: 0.0
    temperature: float | None = None
    max_tokens: int | None = None
    log: list[dict[str, Any]] = []  # noqa: RUF012  pydantic copies defaults

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        assert run_manager is not None
        index = run_manager.metadata["sample"]
        told = kwargs if stop is None else {**kwargs, "stop": stop}
        self.log.append({"index": index, "temperature": self.temperature, "max_tokens": self.max_tokens, **told})
        reply = self.script(index, str(messages[-1].text))
        if isinstance(reply, str):
            reply = reply[: min((at for each in stop or () if (at := reply.find(each)) >= 0), default=len(reply))]
        return ChatResult(generations=[ChatGeneration(message=AIMessage(reply) if isinstance(reply, str) else reply)])

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        assert run_manager is not None
        await asyncio.sleep(self.delay(run_manager.metadata["sample"]))
        return self._generate(messages, stop, run_manager, **kwargs)


def replies(*texts: str | AIMessage) -> Script:
    """Return the script in which sample i gets the i-th text, and all later ones the last."""
    return lambda index, _: texts[min(index, len(texts) - 1)]


@contextmanager
def like_a_process(folder: Path) -> Iterator[None]:
    """Work in `folder`, and undo at the end what would have ended with a process.

    What `gc.freeze` took stays frozen: to go over all that pytest holds takes a tenth of a second, as long as a small run.
    """
    path, modules, environment, thresholds = list(sys.path), set(sys.modules), dict(os.environ), gc.get_threshold()
    reread: Callable[[], None] = get_env_var.cache_clear  # type: ignore[attr-defined]  # LangSmith reads its settings once a process
    reread()
    try:
        with chdir(folder):
            yield
    finally:
        gc.set_threshold(*thresholds)
        os.environ.clear()
        os.environ.update(environment)
        reread()
        sys.path[:] = path
        for name in set(sys.modules) - modules:  # a task that a test has written: the next test writes another one
            if str(getattr(sys.modules[name], "__file__", None)).startswith(f"{folder}{os.sep}"):
                del sys.modules[name]


def run_here(folder: Path, *args: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run `maker-graph ARGS` in `folder` as `cli` does: for fixtures that outlive a test."""
    with like_a_process(folder):
        done = CliRunner().invoke(app, args, env=env, catch_exceptions=False)  # what is not caught there fails the test here
    return subprocess.CompletedProcess(args, done.exit_code, done.stdout, done.stderr)


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """Return what runs `maker-graph ARGS` within this process, in a folder of its own: a process takes a second to start."""
    return lambda *args, **env: run_here(tmp_path, *args, **env)


@pytest.fixture
def process(tmp_path: Path) -> Cli:
    """Return what runs `maker-graph ARGS` as `cli` does, but as a process, for what only a process shows."""

    def run(*args: str, **env: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "maker_graph.cli", *args]
        return subprocess.run(
            command, cwd=tmp_path, env={**os.environ, **env}, capture_output=True, text=True, timeout=120, check=False
        )

    return run


@pytest.fixture(scope="session")
def children() -> Iterator[Children]:
    """Return the fork server: processes without the second that each takes to start."""
    server = Children()
    yield server
    server.close()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """Return a Postgres that the tests of this process share: it is neither stopped nor set up otherwise."""
    with server() as found:
        yield found


@pytest.fixture
def database(postgres: Postgres) -> Iterator[str]:
    """Return the address of an empty database in that Postgres."""
    with postgres.database() as address:
        yield address


@pytest.fixture
def new_postgres() -> Iterator[Callable[..., Postgres]]:
    """Return what starts a Postgres of the test's own, with its own settings: it may be stopped, killed and started again."""
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(server(**settings))


@pytest.fixture(scope="session")
def simulated_server() -> Iterator[str]:
    """Serve sim:gpt-4.1-mini on a free port of this machine, in a process of its own; return the base URL."""
    command = [sys.executable, "-m", "maker_graph.cli", "simulate", "--port", "0", "--profile", "gpt-4.1-mini"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.search(r"http://\S+", line)
        assert found, line
        yield found[0]
        process.terminate()


@pytest.fixture
def openai(simulated_server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Point OPENAI_BASE_URL to the simulated server; return the name of a model there."""
    monkeypatch.setenv("OPENAI_BASE_URL", simulated_server)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    return "openai:gpt-4.1-mini"
