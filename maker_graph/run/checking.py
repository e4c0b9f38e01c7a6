"""Tries a task in this process and in two others. They have other hash seeds, so a set has another order there.

The others run this module as a script: `python -m maker_graph.run.checking NAME OPTIONS STEPS` prints what it saw as
JSON. Each process makes the task once. One of the others, with "replay" as a further argument, first applies the
answers of this process. A part that is a program is asked once for each of its steps in each process, and may answer
differently there.
"""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, redirect_stdout
from typing import Any

from maker_graph.core.characters import visible
from maker_graph.core.checks import whole
from maker_graph.errors import UsageError
from maker_graph.tasks.checking import Outside, Pairs, Replies, replayed, try_task
from maker_graph.tasks.loading import SHIPPED, LoadedTask, load_task
from maker_graph.tasks.trial import PROGRAM, Place, Problem, Trial

STEPS = 1000
"""How many steps are tried by default."""

HASH_SEEDS = ("1", "2")
"""The hash seeds of the other processes."""

SECONDS = 600
"""How many seconds another process may take."""


def check_task(loaded: LoadedTask, *, steps: int = STEPS) -> Trial:
    """Try a task along its right path, for at most `steps` steps. Return what is wrong with it.

    Raises:
        UsageError: `steps` is not a number of steps, or the task cannot be tried in another process.
    """
    with _others(loaded, whole("steps", steps)) as others:
        trial = _tried(loaded, steps)
        if not trial.trace or trial.failed("pure"):
            return trial
        for process in others:
            seen, problem = _seen_by(process, trial)
            trial.tried |= {"processes", "replay"} if trial.steps else {"processes"}
            if problem := problem or _difference(trial, seen):
                trial.problems.append(problem)
                break
    return trial


def _tried(loaded: LoadedTask, steps: int) -> Trial:
    from maker_graph.models.prompts import as_pairs  # noqa: PLC0415  LangChain, which a help text does not need
    from maker_graph.models.simulation.rehearsal import replies_of  # noqa: PLC0415  a real run knows nothing of the simulation

    outside = Outside(as_pairs, replies_of, _awaited, _replies_of(loaded))
    with redirect_stdout(sys.stderr):  # what a task prints is not the result
        return try_task(lambda: loaded.task, outside, steps=steps)


def _awaited(work: Coroutine[Any, Any, Any]) -> Any:
    """Return the result of a coroutine, run on an event loop of its own, even if another loop is running."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


def _replies_of(loaded: LoadedTask) -> Callable[[Pairs], Replies | None] | None:
    """Return the rehearsed replies for a task."""
    rehearsal: Any = getattr(loaded.task, "rehearsal", None)
    if loaded.name in SHIPPED:
        from maker_graph.models.simulation import hanoi, records  # noqa: PLC0415  a real run knows nothing of the simulation

        rehearsal = {"hanoi": hanoi.HanoiRehearsal(), "records": records.RecordsRehearsal()}.get(loaded.name)
    found: Callable[[Pairs], Replies | None] | None = None if rehearsal is None else rehearsal.replies
    return found


@contextmanager
def _others(loaded: LoadedTask, steps: int) -> Iterator[list[subprocess.Popen[str]]]:
    """Start the other processes, which try the task, and yield them."""
    command = [sys.executable, "-m", "maker_graph.run.checking", loaded.name, json.dumps(loaded.options), str(steps)]
    path = os.pathsep.join(filter(None, [os.getcwd(), *sys.path]))  # noqa: PTH109  sys.path holds strings
    pipe = subprocess.PIPE
    with ExitStack() as stack:
        running: list[subprocess.Popen[str]] = []
        for seed in HASH_SEEDS:
            env = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": path}
            replays = seed == HASH_SEEDS[-1]  # only one of them waits for the answers
            told = [*command, *(["replay"] if replays else [])]
            process = subprocess.Popen(told, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=env)  # noqa: S603  this module
            running.append(stack.enter_context(process))
            stack.callback(process.kill)
        yield running


def _seen_by(process: subprocess.Popen[str], trial: Trial) -> tuple[Trial, Problem | None]:
    """Return what another process saw, and what is wrong with its replay of the answers of `trial`.

    Raises:
        UsageError: the process failed, or took too long.
    """
    try:
        output, errors = process.communicate(json.dumps([trial.decided, trial.state]), timeout=SECONDS)
    except subprocess.TimeoutExpired:
        raise UsageError(f"The task takes more than {SECONDS} s in another process: try fewer steps.") from None
    if process.returncode:
        last = (errors.splitlines() or [f"exit code {process.returncode}"])[-1]
        raise UsageError(f"The task cannot be tried in another process: {visible(last)}")
    found = json.loads(output.splitlines()[-1])
    problem = None if found["replay"] is None else Problem(*found["replay"])
    return Trial(found["steps"], trace=[Place(*each) for each in found["trace"]]), problem


def _difference(one: Trial, other: Trial) -> Problem | None:
    """Return the first difference between two processes. None is found after a program has answered differently."""
    for step, (here, there) in enumerate(zip(one.trace, other.trace, strict=False), start=1):
        if here[:2] == there[:2] and here.prompt == PROGRAM and here != there:
            return None
        for what, value, elsewhere in zip(Place._fields, here, there, strict=True):
            if value != elsewhere:
                why = "is it made from a set, or with hash()?"
                return Problem("processes", f"the {what} is not the same in another process: {why}", step)
    if one.steps != other.steps:
        return Problem("processes", f"another process can go {other.steps} steps, and this one {one.steps}", None)
    return None


def _print() -> None:
    """Try the task that the arguments name. Print what this process saw, and what is wrong with its replay.

    The replay comes first, on a task that has not been called yet. Its answers are read from standard input.
    """
    name, options, steps, *replay = sys.argv[1:]
    with redirect_stdout(sys.stderr):
        loaded = load_task(name, json.loads(options))
        problem = None
        if replay:
            decided, state = json.load(sys.stdin)
            problem = replayed(loaded.task, Trial(decided=decided, state=state)) if decided else None
    trial = _tried(loaded, int(steps))
    sys.stdout.write(json.dumps({"steps": trial.steps, "trace": trial.trace, "replay": problem}) + "\n")


if __name__ == "__main__":
    _print()
