"""The models and the leads of a new run: as the caller said, as a part of the task says, or as a plan computes.

The parts of a task share the risk evenly: each is planned for the n-th root of the target, n being the number of voted parts.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

from maker_graph.calibration.estimates import ModelEstimates
from maker_graph.calibration.file import read_calibration
from maker_graph.calibration.known import estimates_for, k_for
from maker_graph.calibration.steps import calibratable_steps
from maker_graph.core import checks
from maker_graph.core.guarding import guarded, see_names, see_task, total_of
from maker_graph.core.task import Located
from maker_graph.core.voting import K, Voting
from maker_graph.errors import UsageError
from maker_graph.models.names import info_of
from maker_graph.run.votings import PartSettings
from maker_graph.tasks.loading import LoadedTask

Lead: TypeAlias = int | Literal["auto"]

MOST_COUNTED = 200_000
"""The most steps of a task whose parts are counted for a plan."""


class Said(NamedTuple):
    """The models and the leads that the caller named; each for all parts of the task, or by the name of a voted part.

    Attributes:
        model: `provider:model`.
        k: the lead; "auto" plans it if enough is known. Otherwise it is the part's own lead, or 3.
        calibration: the file that `maker-graph calibrate` wrote.
    """

    model: str | Mapping[str, str]
    k: Lead | Mapping[str, Lead] = "auto"
    calibration: str | Path | Mapping[str, str | Path] | None = None


class Votes(NamedTuple):
    """How a run votes.

    Attributes:
        model: the model of the run.
        voting: the `Voting` of the run, with what suits its model filled in.
        parts: the settings of each voted part, if the task has several parts.
        estimates: what is known of the model, if all steps are alike; None if nothing is.
    """

    model: str
    voting: Voting
    parts: dict[str, PartSettings]
    estimates: ModelEstimates | None


def planned_votes(
    loaded: LoadedTask, said: Said, asked: Voting, target: float, warn: Callable[[str], None] = lambda _: None
) -> Votes:
    """Return how a run votes.

    Args:
        loaded: the task.
        said: the models and the leads that the caller named.
        asked: how the run samples, with "auto" for what is left to the model. Of its `k` only `within` is used, and a seed of
            None is the seed of the model.
        target: the chance that no step is wrong.
        warn: called with a text about a calibration that does not quite fit.

    Raises:
        UsageError: a setting names no voted part, a calibration is of another part, or no k reaches the target.
    """
    see_task(loaded.task)
    inside = guarded(loaded.task)
    voted = inside.voted_parts if len(inside.parts) > 1 else {}
    for what, given in (("model", said.model), ("k", said.k), ("calibration", said.calibration)):
        if isinstance(given, Mapping):
            see_names(f"{what} names", given, voted)
    if not voted and len(inside.parts) == 1:
        return _of_one_part(loaded, said, asked, target, warn)
    if said.calibration is not None and not isinstance(said.calibration, Mapping):
        raise UsageError(f"The task has several parts: say to which {said.calibration} belongs (NAME=FILE, or a mapping).")
    if isinstance(said.model, Mapping) and (missing := [name for name in voted if name not in said.model]):
        raise UsageError(f"model has none for the part {missing[0]!r}: name one for each of {', '.join(voted)}.")
    models = said.model if isinstance(said.model, Mapping) else dict.fromkeys(voted, said.model)
    if odd := [name for name, model in models.items() if not isinstance(model, str)]:
        raise UsageError(f"The model of {odd[0]!r} must be a text, provider:model, not {models[odd[0]]!r:.80}.")
    first = next(iter(models.values()), "") if isinstance(said.model, Mapping) else said.model
    parts = {}
    for name, part in voted.items():
        k = said.k.get(name, "auto") if isinstance(said.k, Mapping) else part.k or said.k
        file = (said.calibration or {}).get(name)
        if k == "auto" and part.k is not None and file is None:
            k = part.k
        if k == "auto":
            each = target ** (1 / len(voted))
            k = _planned(loaded, name, models[name], asked, None if file is None else Path(file), each, warn)
        checks.whole(f"k of {name!r}", k)
        parts[name] = PartSettings(k=k, model=None if models[name] == first else models[name])
    lead = said.k if isinstance(said.k, int) else max((part.k for part in parts.values()), default=K)
    return Votes(first, _suited(first, asked.led_by(lead)), parts, None)


def _of_one_part(loaded: LoadedTask, said: Said, asked: Voting, target: float, warn: Callable[[str], None]) -> Votes:
    model = str(said.model)
    voting = _suited(model, asked.led_by(said.k if isinstance(said.k, int) else 1))  # until it is planned
    file = None if said.calibration is None else Path(str(said.calibration))
    estimates = estimates_for(loaded, model, voting, file, warn)
    if said.k == "auto":
        voting = voting.led_by(k_for(loaded, estimates, target))
    return Votes(model, voting, {}, estimates)


def _planned(  # noqa: PLR0917  of one part, all that a plan stands on
    loaded: LoadedTask,
    part: str,
    model: str,
    asked: Voting,
    calibration: Path | None,
    target: float,
    warn: Callable[[str], None],
) -> int:
    estimates = estimates_for(loaded, model, _suited(model, asked.led_by(1)), calibration, warn, part=part)
    total = _steps_of(loaded, part) if calibration is None else read_calibration(calibration)[0].total
    return K if estimates is None or total is None else k_for(loaded, estimates, target, total)


def _suited(model: str, voting: Voting) -> Voting:
    return info_of(model).suited(voting)


def _steps_of(loaded: LoadedTask, part: str) -> int | None:
    """Return how many steps of the task are of this part; None if that cannot be told without walking through the task."""
    total = total_of(loaded.task)
    if total is None or total > MOST_COUNTED or not isinstance(guarded(loaded.task), Located):
        return None
    try:
        return calibratable_steps(loaded.task, part, truth=False)[0]
    except UsageError:
        return None
