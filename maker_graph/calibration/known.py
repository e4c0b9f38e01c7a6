"""What is known of a model before a run, from a calibration or from a simulated model's profile, and the k that follows."""

from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

from maker_graph.calibration.estimates import ModelEstimates, estimates_of, estimates_of_profile
from maker_graph.calibration.file import read_calibration
from maker_graph.calibration.lines import CalibrationRequest
from maker_graph.core.emitting import SAME, Emit, emit_of
from maker_graph.core.guarding import guarded, total_of
from maker_graph.core.red_flags import estimated_tokens
from maker_graph.core.voting import K, Voting
from maker_graph.errors import UsageError
from maker_graph.models.names import info_of
from maker_graph.models.prompts import as_pairs
from maker_graph.statistics.forecast import planned_k
from maker_graph.tasks.loading import LoadedTask


def estimates_for(
    loaded: LoadedTask, model: str, voting: Voting, calibration: Path | None, warn: Callable[[str], None], *, part: str = ""
) -> ModelEstimates | None:
    """Return what is known of `model` on a task; None if nothing is.

    Args:
        loaded: the task.
        model: its name.
        voting: how the run samples, with what suits the model filled in.
        calibration: the file that `maker-graph calibrate` wrote, if there is one.
        warn: called with a text if the file was made with other options of the task.
        part: the part of the task, if it has several.

    Raises:
        UsageError: the calibration cannot be read, or was made for another task, other models or other settings.
    """
    if calibration is not None:
        return _calibrated(loaded, model, voting, calibration, warn, part)
    info = info_of(model)
    if info.kind == "tiny":
        from maker_graph.models.tiny_lm import CALIBRATION  # noqa: PLC0415  numpy takes a tenth of a second to import

        request, (result,) = read_calibration(CALIBRATION)
        same = (request.task, request.options) == (loaded.name, loaded.options)
        return estimates_of(result) if same and _sampling_of(request, model) == _sampling(voting) else None
    task = guarded(loaded.task)
    if not info.simulated or voting.emit is not None or any(each.rehearse is not None for each in task.voted_parts.values()):
        return None  # a task that rehearses says itself how hard its steps are
    state = task.start()
    prompt = as_pairs(task.prompt(state)) if task.part(state) in task.voted_parts else []
    return estimates_of_profile(info.profile(), estimated_tokens("".join(str(content) for _, content in prompt)))


def k_for(loaded: LoadedTask, estimates: ModelEstimates | None, target: float, total: int | None = None) -> int:
    """Return the least k that reaches `target`, the chance that no step is wrong; `K` if too little is known to tell.

    `total` is the number of steps that are voted on, if not all steps of the task are.

    Raises:
        UsageError: no k reaches the target.
    """
    total = total or total_of(loaded.task)
    if estimates is None or not total:
        return K
    rho = 0.0 if estimates.rho is None else estimates.rho.value
    return planned_k(estimates.p, total, target, rho=rho, rival=estimates.rival)


def _calibrated(  # noqa: PLR0917  as `estimates_for`
    loaded: LoadedTask, model: str, voting: Voting, calibration: Path, warn: Callable[[str], None], part: str
) -> ModelEstimates:
    request, results = read_calibration(calibration)
    if request.task != loaded.name or request.part != part:
        was, now = (f"{task}{of and ', part '}{of}" for task, of in ((request.task, request.part), (loaded.name, part)))
        raise UsageError(f"{calibration} is a calibration of {was}, not of {now}.")
    found = next((result for result in results if result.model == model), None)
    if found is None:
        raise UsageError(f"{calibration} knows {', '.join(request.models)}, but not {model}: calibrate that first.")
    if (had := _sampling_of(request, model)) != (has := _sampling(voting)):
        raise UsageError(
            f"{calibration} was made with {had}, and this run samples with {has}, so the model may err more or less often. "
            "Calibrate with the settings of the run, or run with the settings of the calibration."
        )
    if request.options != loaded.options:
        warn(
            f"{calibration} was made with {request.options}, and this run has {loaded.options}: the model may err more or less "
            "often here."
        )
    elif request.inputs != loaded.inputs:
        warn(f"{calibration} was made when {loaded.name} had other inputs: the model may err more or less often here.")
    return estimates_of(found)


def _sampling_of(request: CalibrationRequest, model: str) -> str:
    cap = request.max_tokens[model]
    return _sampling(
        Voting(
            check=request.check,
            max_tokens=cap,
            temperature=request.temperature,
            variants=request.variants,
            stop=request.stop,
            structured=request.structured,
            emit=emit_of(request.emit),
        )
    )


def _sampling(voting: Voting) -> str:
    """Return, as options, the settings other than the prompt that affect how often a sample is wrong."""
    both = voting.temperatures
    temperature = "none" if both is None else ",".join(f"{each:g}" for each in both)
    more = " --variants" * voting.variants + " --structured" * voting.structured
    more += "".join(f" --stop {each!r}" for each in voting.stop)
    if voting.emit is not None:
        more += f" --emit {voting.emit.model or SAME}"
        own, usual = replace(voting.emit, model=None), Emit()
        set_ = [
            f"{each.name}={value!r}" for each in fields(Emit) if (value := getattr(own, each.name)) != getattr(usual, each.name)
        ]
        more += f" (with {', '.join(set_)})" if set_ else ""
    return f"{'--check' if voting.check else '--no-check'} --max-tokens {voting.output_cap} --temperature {temperature}{more}"
