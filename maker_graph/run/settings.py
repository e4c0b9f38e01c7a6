"""The settings of a run: everything that may change an answer. They are fixed from its first step to its last."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from maker_graph.core.canonical import sorted_json
from maker_graph.core.decision import Decision, Vote, given_up, rung_of
from maker_graph.core.guarding import AnyTask, guarded, see_task
from maker_graph.core.machine import Machine
from maker_graph.core.schema import schema_asked
from maker_graph.core.task import Rephrases, Varies
from maker_graph.core.voting import Auto, Temperature, Voting
from maker_graph.errors import DamagedRun, UnusableRun, UsageError
from maker_graph.models.names import ModelInfo, info_of
from maker_graph.run.votings import (
    NO_LADDER,
    SINCE_4,
    LadderSettings,
    PartSettings,
    RungSettings,
    StoredVoting,
    see_kept,
)
from maker_graph.tasks.loading import LoadedTask
from maker_graph.tasks.slices import Slice

VERSION: Literal[5] = 5
"""The newest form of settings.json. Form 1 had no version, and all settings on one level. Form 3 brought inputs and parts,
form 4 cascades and rules other than a lead, form 5 slices. A run that is not a slice is written in form 4."""

LOG_FORM = 1
"""The form of the settings of a log, see `run/log.py`. Its settings have `log` in the place of `version`."""

_SINCE = {2: set[str](), 3: {"inputs", "parts"}, 4: {"cascade"}, 5: {"slice"}}
"""Form -> the settings that came with it."""


class Settings(BaseModel):
    """The settings of a run. All of them may change an answer, so none of them can change once the run has begun.

    Attributes:
        version: the form in which they are stored.
        id: the id of the run. The journal of another run does not fit it.
        task: `hanoi`, `records`, or `package.module:name`.
        options: the options that the task is made with.
        model: `provider:model`.
        voting: how each step is voted on.
        ladder: what is tried on a stuck step.
        prompt: a digest of the first step's prompt. It shows when the code of the task was changed.
        inputs: name -> digest of the files that the task depends on; see `tasks/inputs.py`.
        parts: part -> how it is voted on, if the task has several parts; without parts that are given.
        cascade: the rungs after the first one. A run with a cascade has no ladder.
        slice: which items of the task this run has, if it is a shard of a fleet.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Literal[1, 2, 3, 4, 5] = 4
    id: str
    task: str
    options: dict[str, Any]
    model: str
    voting: StoredVoting
    ladder: LadderSettings
    prompt: str
    inputs: dict[str, str] = Field(default_factory=dict)
    parts: dict[str, PartSettings] = Field(default_factory=dict)
    cascade: list[RungSettings] = Field(default_factory=list)
    slice: Slice | None = None

    @property
    def k(self) -> int:
        """The lead that decides; with another rule, the fewest votes that can decide."""
        return self.voting.lead or self.voting.first_round

    @property
    def temperature(self) -> float | None:
        """The temperature of the samples after the first; None if none is sent."""
        both = self.voting.temperatures
        return None if both is None else both[1]

    @property
    def began(self) -> Mapping[str, str] | None:
        """The inputs with which the run began; None if it is so old that they were not kept."""
        return None if self.version < 3 else self.inputs

    @property
    def leads(self) -> dict[str, int]:
        """Part -> the lead that decides it, if the task has several parts."""
        return {name: part.k for name, part in self.parts.items()}

    @property
    def leads_of_rungs(self) -> dict[str, int]:
        """Rung -> the fewest votes that can decide on it, for the rungs of the cascade after the first."""
        rungs = enumerate(self.cascade, start=2)
        return {f"rung {number}": rung.voting.lead or rung.voting.first_round for number, rung in rungs}

    @property
    def models(self) -> list[str]:
        """All models that are asked, each once, the run's own first."""
        return list(dict.fromkeys([*self.voters, *self.writers]))

    @property
    def voters(self) -> list[str]:
        """The models that are asked the prompts of the task, each once, the run's own first."""
        of_parts = [part.model for part in self.parts.values()]
        named = (self.model, *of_parts, self.ladder.model, *(rung.model for rung in self.cascade))
        return list(dict.fromkeys(name for name in named if name is not None))

    @property
    def emits(self) -> bool:
        """Whether some samples are two calls; see `Voting.emit`."""
        return any(voting.emit is not None for voting in (self.voting, *(rung.voting for rung in self.cascade)))

    @property
    def writers(self) -> list[str]:
        """The models that write down what others have reasoned, each once; see `Voting.emit`."""
        emits = [voting.emit for voting in (self.voting, *(rung.voting for rung in self.cascade))]
        return list(dict.fromkeys(emit.writer for emit in emits if emit is not None and emit.writer is not None))

    def voting_of(self, part: str) -> Voting:
        """Return how a part is voted on. Settings that were left to the model are those that suit the part's model."""
        said = self.parts[part]
        voting = self.voting if said.k == self.k else self.voting.led_by(said.k)
        if said.model is None:
            return voting
        suited = self.info.suited(replace(voting, temperature="auto", max_tokens="auto"))
        left = {name: "auto" for name in ("temperature", "max_tokens") if getattr(voting, name) == getattr(suited, name)}
        return info_of(said.model).suited(replace(voting, **left))  # type: ignore[arg-type]  # both may be "auto"

    def passed(self, decision: Decision) -> bool:
        """Return whether the rule gave up the last vote on a step, so that the step is contested and not stuck.

        The journal does not keep this: it follows from the ballot and from what the verifier said.
        """
        if decision["status"] == "decided":
            return False
        rung, part = rung_of(decision["by"]), decision.get("part", "")
        of_base = self.voting_of(part) if part in self.parts else self.voting
        voting = self.cascade[rung - 1].voting if rung else of_base
        return given_up(decision, voting.rule)

    def passed_on(self, votes: Sequence[Vote]) -> Sequence[Vote]:
        """Return the votes on a step up to the last rung of the cascade that passed it on; nothing if none did.

        No rung up to that one votes on the step again.
        """
        if not self.cascade:
            return ()
        rules = [self.voting.rule, *(rung.voting.rule for rung in self.cascade)]
        places = [place for place, vote in enumerate(votes) if given_up(vote, rules[rung_of(vote["by"])])]
        highest = max(places, key=lambda place: rung_of(votes[place]["by"]), default=None)
        return () if highest is None else votes[: highest + 1]

    @property
    def info(self) -> ModelInfo:
        """What the name of the run's model says about it."""
        return info_of(self.model)

    @property
    def simulated(self) -> bool:
        """Whether all models of the run are simulated."""
        return all(info_of(name).simulated for name in self.models)

    @property
    def ladder_temperature(self) -> Temperature | Auto | Literal["same"]:
        """The temperature for the ladder's model: "auto" if the run's is what suits the run's model, else "same"."""
        return "auto" if self.voting.temperature == self.info.temperature_for(self.voting) else "same"

    def text(self) -> str:
        """Return the content of settings.json."""
        return json.dumps(self._written(), indent=2) + "\n"

    def origin(self) -> str:
        """Return the text that the first hash of the journal is computed from."""
        return sorted_json(self._written())

    def _written(self) -> dict[str, Any]:
        """Return the settings as JSON, in the form of their version."""
        if self.version == 1:
            return _first_form(self)
        written = self.model_dump(mode="json", exclude=_later_than(self.version))
        return written if self.version >= 4 else {**written, "voting": _without(written["voting"], SINCE_4)}


def new_settings(
    loaded: LoadedTask,
    model: str,
    voting: Voting,
    ladder: LadderSettings | None = None,
    *,
    parts: Mapping[str, PartSettings] | None = None,
    cascade: Sequence[RungSettings] = (),
) -> Settings:
    """Return the settings of a new run.

    Args:
        loaded: the task, and how it was made.
        model: `provider:model`.
        voting: how each step is voted on; what it leaves to the model is filled in.
        ladder: what is tried on a stuck step; None: the default. A cascade has none.
        parts: part -> how it is voted on; None: as the parts themselves say.
        cascade: the rungs after the first.

    Raises:
        UsageError: a setting is wrong or cannot be stored, or the first prompt of the task differs each time.
    """
    see_kept(voting)
    see_task(loaded.task)
    Machine(loaded.task).begin()  # if this raises, nothing is stored yet
    _see_asks(loaded.task, voting, cascade)
    varied = _varied(voting, cascade)
    prompt = prompt_digest(loaded.task, varied=varied)
    if prompt != prompt_digest(loaded.task, varied=varied):
        raise UsageError(f"The first prompt of {loaded.name} differs each time: make it depend on the state alone.")
    settings = Settings(
        version=4 if loaded.slice is None else VERSION,
        id=uuid4().hex,
        task=loaded.name,
        options=loaded.options,
        model=model,
        voting=info_of(model).suited(voting),
        ladder=NO_LADDER if cascade else ladder or LadderSettings(),
        prompt=prompt,
        inputs=loaded.inputs,
        parts=dict(parts or _own_leads(loaded.task, voting, fixed=bool(cascade))),
        cascade=[rung.model_copy(update={"voting": info_of(rung.model).suited(rung.voting)}) for rung in cascade],
        slice=loaded.slice,
    )
    for name in settings.parts:
        try:
            settings.voting_of(name)
        except UsageError as error:  # its lead contradicts the limit on votes
            raise UsageError(f"The part {name!r}: {error}") from None
    return settings


def settings_of_slice(whole: Settings, part: LoadedTask) -> Settings:
    """Return the settings of a run on a slice of the task of `whole`, with the same votes and an id of its own."""
    varied = _varied(whole.voting, whole.cascade)
    own = {"version": VERSION, "id": uuid4().hex, "inputs": part.inputs, "slice": part.slice}
    return whole.model_copy(update={**own, "prompt": prompt_digest(part.task, varied=varied)})


def _see_asks(task: AnyTask, voting: Voting, cascade: Sequence[RungSettings]) -> None:
    """Make sure that the task has what the votes need: variants, rephrased prompts, a schema of its replies.

    Raises:
        UsageError: one of them is needed and missing.
    """
    parts = guarded(task).voted_parts.values()
    if _varied(voting, cascade) and not _all(parts, Varies):
        raise UsageError("The task has no variants(state), so its samples cannot be asked variants: leave variants out.")
    if any(rung.rephrase for rung in cascade) and not _all(parts, Rephrases):
        raise UsageError(
            "A rung of the cascade asks a rephrased prompt, and the task has no rephrase(state, attempt): give it one, or "
            "leave rephrase out of the rung."
        )
    if voting.structured or any(rung.voting.structured for rung in cascade):
        for part in parts:
            schema_asked(None, part.schema, parsed=True)  # raises if there is no schema


def _varied(voting: Voting, cascade: Sequence[RungSettings]) -> bool:
    return any(each.variants for each in (voting, *(rung.voting for rung in cascade)))


def _all(parts: Iterable[object], kind: type) -> bool:
    return all(isinstance(part, kind) for part in parts)


def _own_leads(task: AnyTask, voting: Voting, *, fixed: bool) -> dict[str, PartSettings]:
    """Return how the parts of a task are voted on by default; nothing for a task with a single part.

    Each part has the lead that it names itself, or else that of the run. With `fixed`, all parts have that of the run:
    the rungs of a cascade decide all parts by the same rule.
    """
    inside, k = guarded(task), voting.lead or voting.first_round
    if len(inside.parts) == 1:
        return {}
    return {name: PartSettings(k=k if fixed or part.k is None else part.k) for name, part in inside.voted_parts.items()}


def read_settings(text: str, name: str) -> Settings:
    """Return the settings in `text`, in any of their forms; `name` says in errors where the text comes from.

    Raises:
        UnusableRun: a newer maker_graph wrote them, or they belong to a log.
        DamagedRun: they are no settings.
    """
    try:
        found = json.loads(text)
        version = found.get("version", 1)
        newer, is_log = isinstance(version, int) and version > VERSION, "log" in found
    except (ValueError, AttributeError) as error:
        raise DamagedRun(f"{name} is damaged: {error}.") from None
    if is_log:
        raise UnusableRun(f"{name} belongs to the log of a graph. Only that graph can go on with it: see JournalLog.")
    if newer:
        raise UnusableRun(f"{name} was written by a newer maker_graph (form {version}): install that version to go on.")
    try:
        later = _later_than(version) & found.keys() if version != 1 else ()
        later = later or (set(found["voting"]) & set(SINCE_4) if version in {2, 3} else ())
        if later:
            raise ValueError(f"form {version} has no {min(later)}")  # noqa: TRY301  reported like the others below
        return Settings.model_validate(_from_first_form(found) if version == 1 else found)
    except ValidationError as error:
        raise DamagedRun(f"{name} is damaged: {error.errors()[0]['msg']}.") from None
    except (ValueError, TypeError, LookupError) as error:
        raise DamagedRun(f"{name} is damaged: {error}.") from None


def _later_than(version: int) -> set[str]:
    return {name for form, names in _SINCE.items() if form > version for name in names}


def _without(found: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: value for name, value in found.items() if name not in names}


_FIRST_VOTING = ("k", "temperature", "max_tokens", "max_samples", "stuck_after", "seed", "check")
_FIRST_LADDER = {"hotter": "temperature", "rephrase": "rephrase", "escalate": "model"}


def _from_first_form(found: dict[str, Any]) -> dict[str, Any]:
    """Return the settings that maker_graph 0.1.0 wrote, in today's form."""
    own = _without(found, [*_FIRST_VOTING, *_FIRST_LADDER])
    ladder = {new: found[old] for old, new in _FIRST_LADDER.items()}
    return {**own, "version": 1, "voting": {name: found[name] for name in _FIRST_VOTING}, "ladder": ladder}


def _first_form(settings: Settings) -> dict[str, Any]:
    """Return `settings` as maker_graph 0.1.0 wrote them."""
    now = settings.model_dump(mode="json")
    ladder = {old: now["ladder"][new] for old, new in _FIRST_LADDER.items()}
    own = {name: now[name] for name in ("id", "task", "options", "model", "prompt")}
    return {**own, **_without(now["voting"], SINCE_4), **ladder}


def unchanged(settings: Settings, task: AnyTask) -> None:
    """Make sure that the first prompt of the task is still the one with which the run began.

    Raises:
        UnusableRun: it is another one.
    """
    if prompt_digest(task, varied=_varied(settings.voting, settings.cascade)) != settings.prompt:
        raise UnusableRun(
            f"The first prompt of {settings.task} is no longer the one that this run began with: put the task's code back as "
            "it was, or start a new run."
        )


def prompt_digest(task: AnyTask, *, varied: bool = False) -> str:
    """Return a digest of the first prompt of a task and its rephrased form; with `varied`, of its variants too.

    It has 16 hexadecimal digits.
    """
    from maker_graph.models.prompts import as_pairs  # noqa: PLC0415  needs LangChain; a look at a run does not

    inside = guarded(task)
    state = inside.start()
    asked = inside.part(state) in inside.voted_parts
    prompts = [inside.prompt(state)] if asked else []
    if asked and isinstance(part := inside.at(state), Rephrases):
        prompts.append(part.rephrase(state, 1))
    if asked and varied and isinstance(part := inside.at(state), Varies):
        prompts += [variant.prompt for variant in part.variants(state)]
    return hashlib.sha256(sorted_json([as_pairs(prompt) for prompt in prompts]).encode()).hexdigest()[:16]
