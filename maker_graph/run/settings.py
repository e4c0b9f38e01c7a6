"""What a run was asked for, and the task and the model that this stands for."""

import hashlib
import importlib
import os
import sys
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

from langchain_core.language_models import BaseChatModel
from pydantic import BaseModel, ConfigDict

from maker_graph.core.canonical import canonical
from maker_graph.core.task import Rephrases, Task, total_of
from maker_graph.errors import UnknownTask, UnusableRun, UsageError
from maker_graph.graph.microstep import MAX_TOKENS
from maker_graph.models.names import at_home, resolve_model, temperature_for
from maker_graph.models.prompts import as_pairs
from maker_graph.statistics.forecast import planned_k
from maker_graph.tasks import Hanoi, Records
from maker_graph.tasks.tables import read_rows

TARGET = 0.99
"""The chance of no error in the whole task for which is planned if nothing else is said."""


class Settings(BaseModel):
    """What a run was asked for; everything here may change an answer, so none of it can change once a run has begun.

    Attributes:
        id: which run this is; a journal of another does not fit.
        task: `hanoi`, `records`, or `package.module:name`.
        options: what the task is made with.
        model: `provider:model`.
        k: the lead that decides.
        seed: of the run; None sends no seeds.
        check: whether answers that break the task's rules are flagged.
        max_samples: a vote that needs more is undecided.
        max_tokens: the output cap of a sample.
        temperature: of the first sample and of the others; None leaves it to the model.
        stuck_after: so many red flags in a row end a vote undecided.
        hotter: the temperature of the ladder's first rung; None takes the rung away.
        rephrase: whether the ladder shows the task's rephrased prompt.
        escalate: the stronger model on the ladder's last rung; None takes it away.
        prompt: a digest of the first step's prompt, so that a task whose code was changed is noticed.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    task: str
    options: dict[str, Any]
    model: str
    k: int
    seed: int | None
    check: bool
    max_samples: int
    max_tokens: int
    temperature: tuple[float, float] | None
    stuck_after: int
    hotter: float | None
    rephrase: bool
    escalate: str | None
    prompt: str

    @property
    def simulated(self) -> bool:
        """Whether no real model is asked."""
        return self.model.startswith("sim:") and (self.escalate is None or self.escalate.startswith("sim:"))

    @property
    def escalate_heat(self) -> tuple[float, float] | Literal["same"] | None:
        """The temperature of the stronger model: its own if the run's is what suits the first model, else that of the run."""
        if self.escalate is None or self.temperature != temperature_for(self.model):
            return "same"
        return temperature_for(self.escalate)


def new_settings(
    task: str,
    options: dict[str, Any],
    model: str,
    *,
    k: int | None = None,
    target: float = TARGET,
    seed: int | None = None,
    check: bool = True,
    max_samples: int = 100,
    max_tokens: int | None = None,
    temperature: tuple[float, float] | Literal["auto"] | None = "auto",
    stuck_after: int = 20,
    hotter: float | None = 1.0,
    rephrase: bool = True,
    escalate: str | None = None,
) -> Settings:
    """Return the settings of a new run, with what was left open decided.

    `k` None plans for `target`, the chance that no step is wrong, from the profile of a simulated model; for others it is 3.
    `max_tokens` None is 750, or the cap with which a simulated model's figures were measured. `seed` None is 1 for the
    models that ship; to others no seed is sent. `temperature` is that of the first sample and of the others, "auto" that of
    `temperature_for`.

    Raises:
        UsageError: a setting is wrong, the task or the model unknown.
    """
    if task == "records":
        options = {**options, "digest": _digest_of(Path(options["input"]))} if Path(options["input"]).is_file() else options
    made = load_task(task, options)
    total = total_of(made)
    if k is not None and k < 1:
        raise UsageError(f"k must be at least 1, not {k}.")
    if model.startswith("sim:"):
        from maker_graph.models.simulation import profile_of  # noqa: PLC0415  a real run knows nothing of the simulation

        profile = profile_of(model.removeprefix("sim:"))
        if k is None and total:
            k = planned_k(max(1 - profile.error, 1e-9), total, target, rho=profile.rho, rival=profile.favourite)
    if at_home(model):
        seed = 1 if seed is None else seed
    k = 3 if k is None else k
    if k > max_samples:
        raise UsageError(f"max_samples is {max_samples}, too few for a lead of k = {k}: raise it or lower k.")
    return Settings(
        id=uuid4().hex,
        task=task,
        options=options,
        model=model,
        k=k,
        seed=seed,
        check=check,
        max_samples=max_samples,
        max_tokens=max_tokens or cap_for(model),
        temperature=temperature_for(model) if temperature == "auto" else temperature,
        stuck_after=stuck_after,
        hotter=hotter,
        rephrase=rephrase,
        escalate=escalate,
        prompt=_prompt_digest(made),
    )


def cap_for(model: str) -> int:
    """Return the output cap of a sample if none is given: that with which a simulated model's figures were measured, or 750."""
    if not model.startswith("sim:"):
        return MAX_TOKENS
    from maker_graph.models.simulation import profile_of  # noqa: PLC0415  a real run knows nothing of the simulation

    return profile_of(model.removeprefix("sim:")).max_tokens


def unchanged(settings: Settings, task: Task) -> None:
    """See that the task still asks what it asked when the run began.

    Raises:
        UnusableRun: it does not.
    """
    if _prompt_digest(task) != settings.prompt:
        raise UnusableRun(
            f"The prompt of {settings.task} is no longer the one that this run began with: put the task's code back as it was, "
            "or start a new run."
        )


def _prompt_digest(task: Task) -> str:
    state = task.start()
    prompts = [] if task.done(state) else [task.prompt(state)]
    if prompts and isinstance(task, Rephrases):
        prompts.append(task.rephrase(state, 1))
    return hashlib.sha256(canonical([as_pairs(prompt) for prompt in prompts]).encode()).hexdigest()[:16]


def load_task(name: str, options: dict[str, Any]) -> Task:
    """Return the task that `name` and `options` stand for; `package.module:name` is a task, or makes one when called.

    Raises:
        UnknownTask: there is none; the text says what there is.
        UsageError: it cannot be made with these options.
    """
    if name == "hanoi":
        return Hanoi(**options)
    if name == "records":
        path = Path(options["input"])
        task = Records(read_rows(path))
        if options.get("digest", digest := _digest_of(path)) != digest:
            raise UnusableRun(f"{path} is no longer the file that this run began with: put that one back.")
        return task
    module_name, colon, attribute = name.partition(":")
    if not colon:
        raise UnknownTask(f"There is no task {name!r}: there are hanoi, records, and your own as package.module:name.")
    if "" not in sys.path and os.getcwd() not in sys.path:  # noqa: PTH109  sys.path holds strings
        sys.path.insert(0, os.getcwd())  # noqa: PTH109  sys.path holds strings
    try:
        found = getattr(importlib.import_module(module_name), attribute)
        made = found() if isinstance(found, type) or not isinstance(found, Task) else found
    except Exception as error:
        raise UnknownTask(f"The task {name!r} cannot be made: {type(error).__name__}: {error}.") from error
    if not isinstance(made, Task):
        raise UnknownTask(f"{name!r} is no task: it needs the functions start, done, prompt, parse and apply.")
    return made


def _digest_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def rehearsed(settings: Settings) -> None:
    """See that the model of a new run can be made, and that a simulated one knows the task, before anything is stored.

    Raises:
        UsageError: it cannot, or does not.
    """
    task = load_task(settings.task, settings.options)
    rehearsed_model(settings.model, task, settings.seed)
    stronger_model_of(settings, task)


def model_of(settings: Settings, task: Task) -> BaseChatModel:
    """Return the run's model; a simulated one knows what the task's `rehearsal` knows."""
    return named_model(settings.model, settings, task)


def stronger_model_of(settings: Settings, task: Task) -> BaseChatModel | None:
    """Return the model on the ladder's last rung, if there is one."""
    return None if settings.escalate is None else named_model(settings.escalate, settings, task)


def named_model(name: str, settings: Settings, task: Task) -> BaseChatModel:
    """Return the model of this name, for the run."""
    return model_for(name, task, settings.seed)


def model_for(name: str, task: Task, seed: int | None) -> BaseChatModel:
    """Return the model of this name; a simulated one knows what the task's `rehearsal` knows."""
    rehearsal = getattr(task, "rehearsal", None)
    return resolve_model(name, seed=seed, rehearsals=() if rehearsal is None else (rehearsal,))


def rehearsed_model(name: str, task: Task, seed: int | None) -> BaseChatModel:
    """Return `model_for`, and see that a simulated model knows the task before anything is stored.

    Raises:
        UsageError: there is no such model, or it is simulated and does not know the task.
    """
    model = model_for(name, task, seed)
    if name.startswith("sim:"):
        from maker_graph.models.simulation import SimulatedChatModel  # noqa: PLC0415  a real run knows nothing of the simulation

        if isinstance(model, SimulatedChatModel) and not task.done(task.start()):
            model.knows(task.prompt(task.start()))
    return model
