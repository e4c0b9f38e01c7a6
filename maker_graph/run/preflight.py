"""Checks of a run before anything is stored or paid for: its models and prices, its cascade, where its results go."""

from maker_graph.core.guarding import AnyTask, Guarded, draftable, guarded
from maker_graph.core.items import Items
from maker_graph.core.task import Predicts
from maker_graph.errors import UsageError
from maker_graph.files import OwnFiles, file_named
from maker_graph.models.names import TINY, info_of
from maker_graph.run.cascades import CascadeFile
from maker_graph.run.drift import NOTE as EXPECTED
from maker_graph.run.options import RunOptions, prices_of
from maker_graph.run.results import see_out
from maker_graph.run.settings import Settings
from maker_graph.tasks.inputs import declared_files


def see_results(settings: Settings, options: RunOptions, task: AnyTask, own: OwnFiles, *, force: bool) -> None:
    """Make sure that the results can be written without the loss of a file of the user's.

    Raises:
        UsageError: they cannot, or the task has no results to write.
    """
    if options.out is None and options.provenance is None:
        return
    if not isinstance(task, Items):
        name = "provenance" if options.out is None else "out"
        raise UsageError(f"{settings.task} has no results to write: leave out `{name}` (--{name}).")
    sources = [*(file_named(value) for value in settings.options.values() if isinstance(value, str)), *declared_files(task)]
    see_out(task, options.out, own, provenance=options.provenance, sources=sources, force=force)


def see_models(settings: Settings, options: RunOptions, task: AnyTask) -> None:
    """Make sure that a run can ask its models, that it can draft if it shall, and that the needed prices are known.

    Raises:
        UsageError: something of this fails.
    """
    from maker_graph.models.resolving import model_for, resolve_model  # noqa: PLC0415  needs LangChain; a help text does not

    most = max([settings.k, *settings.leads.values()])
    most = max([most, *(rung.voting.first_round for rung in settings.cascade)])
    if options.max_samples is not None and options.max_samples < most:
        raise UsageError(f"max_samples = {options.max_samples} is too few: a vote of this run needs at least {most} samples.")
    inside = guarded(task)
    if (options.lookahead or 1) != 1 and inside.given is None:
        draftable(inside)
        drafter = options.draft_model or settings.model
        if not info_of(drafter).drafts and not isinstance(inside, Predicts):
            raise UsageError(f"{drafter} has not learned to draft: name another draft model, or leave lookahead out.")
    if settings.emits and TINY in settings.models:
        raise UsageError(f"{TINY} can reply only to the prompts that it was trained on: leave emit out.")
    for name in settings.writers:
        resolve_model(name, seed=settings.voting.seed)
    for name in (*settings.voters, *([] if options.draft_model is None else [options.draft_model])):
        model_for(name, task, settings.voting.seed)
    if isinstance(task, Items) and any(info_of(name).simulated for name in settings.models):
        _see_rehearsed(inside)
    prices_of(settings, options)


def _see_rehearsed(items: Guarded) -> None:
    """Rehearse the first item, so that a task that cannot be simulated says so now.

    Raises:
        UsageError: the task raises it; its text says why.
    """
    if items.rehearse is None or items.done(items.start()):
        return
    try:
        items.rehearse(items.start())
    except UsageError:
        raise
    except Exception:  # noqa: BLE001, S110  the same error is reported when the model is asked
        pass


def see_alone(**said: tuple[object, object]) -> None:
    """Make sure that no setting is given twice, by a cascade and beside it; `said` has (value, default) for each one.

    Raises:
        UsageError: a setting differs from its default.
    """
    if twice := [name for name, (value, default) in said.items() if value != default]:
        raise UsageError(f"A cascade says how each of its rungs votes: leave out {', '.join(twice)}.")


def expected_of(cascade: object) -> dict[str, str]:
    """Return the note of what a cascade's plan saw on its labelled rows; empty if the cascade comes from no such plan."""
    found = cascade.expected if isinstance(cascade, CascadeFile) else None
    return {} if found is None else {EXPECTED: found.model_dump_json()}
