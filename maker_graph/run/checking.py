"""A task tried in this process and in two others, which have other hash seeds: the order of a set is another there.

The others are this module as a script: `python -m maker_graph.run.checking NAME OPTIONS STEPS` prints what it saw as JSON.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout
from typing import Any

from maker_graph.core.characters import visible
from maker_graph.core.checks import whole
from maker_graph.errors import UsageError
from maker_graph.tasks.checking import Pairs, Place, Problem, Replies, Trial, try_task
from maker_graph.tasks.loading import SHIPPED, LoadedTask, load_task

STEPS = 1000
"""Steps that are tried if nothing else is said."""

HASH_SEEDS = ("1", "2")
"""Of the other processes."""

SECONDS = 600
"""So long another process may take."""


def check_task(loaded: LoadedTask, *, steps: int = STEPS) -> Trial:
    """Return what is wrong with a task, tried along its right path for so many steps at most.

    Raises:
        UsageError: `steps` is no number of steps.
    """
    with _others(loaded, whole("steps", steps)) as others:
        trial = _tried(loaded, steps)
        for other in others() if trial.trace and not trial.failed("pure") else ():
            trial.tried.add("processes")
            if problem := _difference(trial, other):
                trial.problems.append(problem)
                break
    return trial


def _tried(loaded: LoadedTask, steps: int) -> Trial:
    from maker_graph.models.prompts import as_pairs  # noqa: PLC0415  LangChain, which a help text does not need

    tasks = iter([loaded.task])
    with redirect_stdout(sys.stderr):  # what a task prints is not the result
        return try_task(
            lambda: next(tasks, None) or load_task(loaded.name, loaded.options).task,
            steps=steps,
            asked=as_pairs,
            replies=_replies_of(loaded),
        )


def _replies_of(loaded: LoadedTask) -> Callable[[Pairs], Replies | None] | None:
    """Return what is rehearsed for a task."""
    rehearsal: Any = getattr(loaded.task, "rehearsal", None)
    if loaded.name in SHIPPED:
        from maker_graph.models.simulation import hanoi, records  # noqa: PLC0415  a real run knows nothing of the simulation

        rehearsal = {"hanoi": hanoi.HanoiRehearsal(), "records": records.RecordsRehearsal()}.get(loaded.name)
    found: Callable[[Pairs], Replies | None] | None = None if rehearsal is None else rehearsal.replies
    return found


@contextmanager
def _others(loaded: LoadedTask, steps: int) -> Iterator[Callable[[], Iterator[Trial]]]:
    """Begin to try the task in the other processes; yield what waits for what they saw."""
    command = [sys.executable, "-m", "maker_graph.run.checking", loaded.name, json.dumps(loaded.options), str(steps)]
    path = os.pathsep.join(filter(None, [os.getcwd(), *sys.path]))  # noqa: PTH109  sys.path holds strings
    with ExitStack() as stack:
        running: list[subprocess.Popen[str]] = []
        for seed in HASH_SEEDS:
            env = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": path}
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)  # noqa: S603  this module
            running.append(stack.enter_context(process))
            stack.callback(process.kill)
        yield lambda: map(_seen_by, running)


def _seen_by(process: subprocess.Popen[str]) -> Trial:
    try:
        output, errors = process.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        raise UsageError(f"The task takes more than {SECONDS} s in another process: try fewer steps.") from None
    if process.returncode:
        last = (errors.splitlines() or [f"exit code {process.returncode}"])[-1]
        raise UsageError(f"The task cannot be tried in another process: {visible(last)}")
    found = json.loads(output.splitlines()[-1])
    return Trial(found["steps"], trace=[Place(*each) for each in found["trace"]])


def _difference(one: Trial, other: Trial) -> Problem | None:
    """Return where two processes saw something else first."""
    for step, (here, there) in enumerate(zip(one.trace, other.trace, strict=False), start=1):
        for what, value, elsewhere in zip(Place._fields, here, there, strict=True):
            if value != elsewhere:
                why = "is it made from a set, or with hash()?"
                return Problem("processes", f"the {what} is not the same in another process: {why}", step)
    if one.steps != other.steps:
        return Problem("processes", f"another process can go {other.steps} steps, and this one {one.steps}", None)
    return None


def _print() -> None:
    """Print what this process sees of the task that its arguments name."""
    name, options, steps = sys.argv[1:]
    trial = _tried(load_task(name, json.loads(options)), int(steps))
    sys.stdout.write(json.dumps({"steps": trial.steps, "trace": trial.trace}) + "\n")


if __name__ == "__main__":
    _print()
