"""The outer machine: a task, one voted microstep after the other, as a state graph.

    START -> start -> microstep -> commit -> microstep again, or END
                          ^   |
                          |   v  undecided
                         escalate -> commit, if a person answered or the step is left open

The state is plain JSON and does not grow with the steps: the task's state, the step number, a running digest, running
totals. Answers leave through the `log`, one by one, before any checkpoint can say that they happened.

A step whose vote ends undecided climbs the ladder (`ladder.py`). With `lookahead` many microsteps are in flight on
drafted states (`lookahead.py`), and `commit` takes all that are decided at the front, in order.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal, NamedTuple, cast, get_args

from langchain_core.runnables import RunnableConfig
from langgraph.config import get_stream_writer
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Checkpointer
from typing_extensions import TypedDict

from maker_graph.core import checks
from maker_graph.core.decision import Decision, Vote, after_trying, vote_of
from maker_graph.core.decision import undecided as error_of
from maker_graph.core.guarding import draftable, guarded, see_task
from maker_graph.core.machine import Committed, Log, Machine, MakerOutput
from maker_graph.core.red_flags import RedFlag
from maker_graph.core.rules import StoppingRule
from maker_graph.core.task import Checks, Predicts, Skippable, Task
from maker_graph.core.voting import MAX_SAMPLES, STUCK_AFTER, Auto, K, Temperature, Voting
from maker_graph.errors import UsageError
from maker_graph.graph.drafter import LONGEST_DRAFT, TOKENS_PER_ANSWER, Drafter
from maker_graph.graph.ladder import Ladder, Voter, create_voters, reading_of
from maker_graph.graph.lookahead import WindowedGraph, microsteps_ahead
from maker_graph.graph.microstep import OnUndecided
from maker_graph.graph.people import ask_person
from maker_graph.graph.runnables import BoundedGraph, Node
from maker_graph.graph.serializer import refuse_permissive
from maker_graph.graph.width import Width
from maker_graph.graph.window import Window, asks_the_same
from maker_graph.models.calls import Calls
from maker_graph.models.requests import sample_seed
from maker_graph.models.resolving import Model, resolve_models
from maker_graph.models.sampler import Sampler

STEPS = 10**12
"""Steps of one invocation if neither the task nor the caller says how many: no limit but the task's own end."""


class MakerInput(TypedDict):
    """Nothing: an empty input starts the task, or goes on with it."""


class DecidedAhead(TypedDict):
    """A decision on a state that was predicted, with that state: it holds if the real one asks the same."""

    state: Any
    decision: dict[str, Any]


class MakerState(MakerOutput):
    """The output, and what is under way."""

    origin: str
    until: int | None
    until_samples: int | None
    rung: int | None
    tried: list[Vote]
    answer: Any
    decision: dict[str, Any]
    ahead: list[DecidedAhead]
    dropped: int


def create_maker(
    task: Task,
    *,
    model: Model | Sequence[Model],
    k: int | StoppingRule = K,
    check: bool = True,
    red_flags: Sequence[RedFlag] | None = None,
    max_samples: int = MAX_SAMPLES,
    stuck_after: int = STUCK_AFTER,
    temperature: Temperature | Auto = "auto",
    max_tokens: int | Auto | None = "auto",
    seed: int | None = None,
    ladder: Ladder | None = Ladder(),  # noqa: B008  immutable
    lookahead: int | Literal["auto"] = 1,
    draft_model: Model | None = None,
    draft_calls: Calls | None = None,
    on_undecided: OnUndecided | None = None,
    steps_per_segment: int | None = None,
    samples_per_segment: int | None = None,
    log: Log | None = None,
    calls: Calls | None = None,
    step_config: Callable[[int], RunnableConfig] | None = None,
    context_schema: type[Any] | None = None,
    trust_checkpoints: bool = False,
) -> StateGraph[Any, Any, Any, Any]:
    """Return the outer machine, uncompiled: checkpointer, name and interrupts are the caller's.

    All of an invocation is one trace (a step is 12 runs or more): traced, a long task needs `steps_per_segment`.

    Invoked with `{}` it starts the task, or goes on where the thread stands; invoked with None it resumes what was interrupted.
    By itself it runs to the end, however long; `steps_per_segment` bounds the memory of a very long task. Each decision goes to
    the custom stream (`stream_mode="custom", subgraphs=True`).

    Args:
        task: what is to be done; see `maker_graph.core.task`.
        model: as for `create_microstep`, like all settings not named here.
        k: the lead that decides, or a stopping rule.
        check: whether answers that break the task's rules are flagged as invalid, if the task has rules.
        red_flags: in place of the default ones.
        max_samples: a vote that needs more samples than this is undecided.
        stuck_after: and so is one with so many red flags in a row at its end.
        temperature: of the first sample and of the others.
        max_tokens: the output cap of each sample.
        seed: from which each sample gets a seed of its own.
        ladder: what an undecided step climbs; None leaves it all to `on_undecided`.
        lookahead: how many microsteps are in flight at once, on drafted states; "auto" adapts to how often drafts hold, within
            `max_concurrency`. It changes how long a task takes and how many samples are drawn for nothing, and no decision.
        draft_model: who drafts, if the task does not by itself; default: `model`, or the first of several.
        draft_calls: how its requests are made, where not as those of the votes.
        on_undecided: at the end of the ladder: "raise", "return" (leave the step open) or "interrupt" (ask a person). Default:
            "return" if the task can `skip`, else "raise".
        steps_per_segment: end an invocation after so many steps; the next one, with `{}`, goes on.
        samples_per_segment: end it earlier, after the step that reaches so many samples.
        log: where decided steps go before the state does.
        calls: how requests are made: who keeps the account, a gate that others share, patience with a provider, a time-out.
        step_config: from a step number to the config of its microstep, for traces: run_name, run_id, tags, metadata.
        context_schema: of the graph, if it has settings that a server shows; the machine itself reads none.
        trust_checkpoints: compile also with a checkpointer that runs what its database says; see `serializer.py`.

    Raises:
        UsageError: a setting is wrong, or the task lacks a function of the contract.
    """
    voting = Voting(
        k=k,
        temperature=temperature,
        max_tokens=max_tokens,
        max_samples=max_samples,
        stuck_after=stuck_after,
        seed=seed,
        check=check,
        red_flags=red_flags,
    )
    return build_maker(
        task,
        model=model,
        voting=voting,
        ladder=ladder,
        ahead=Ahead(lookahead, draft_model, draft_calls),
        calls=calls,
        on_undecided=on_undecided,
        segment=Segment(steps_per_segment, samples_per_segment),
        log=log,
        step_config=step_config,
        context_schema=context_schema,
        trust_checkpoints=trust_checkpoints,
    )


class Ahead(NamedTuple):
    """How far a machine looks ahead, who drafts, and how the requests for drafts are made."""

    lookahead: int | Literal["auto"] = 1
    draft_model: Model | None = None
    draft_calls: Calls | None = None


class Segment(NamedTuple):
    """When an invocation ends before the task does: after so many steps, or after the step that reaches so many samples."""

    steps: int | None = None
    samples: int | None = None


def build_maker(
    task: Task,
    *,
    model: Model | Sequence[Model],
    voting: Voting,
    ladder: Ladder | None,
    ahead: Ahead,
    calls: Calls | None,
    on_undecided: OnUndecided | None,
    segment: Segment,
    log: Log | None,
    step_config: Callable[[int], RunnableConfig] | None,
    context_schema: type[Any] | None = None,
    trust_checkpoints: bool = False,
) -> StateGraph[Any, Any, Any, Any]:
    """Return the outer machine, uncompiled; everything is as in `create_maker`."""
    at_the_end = _checked(task, segment, ladder, on_undecided)
    width = _width(ahead.lookahead)
    checked = voting.check and isinstance(task, Checks)
    machine = Machine(task)
    if ahead.lookahead != 1:
        draftable(task)
    task = guarded(task)
    voters = create_voters(task, ladder or Ladder(temperature=None, rephrase=False), model=model, voting=voting, calls=calls)

    def config_of(step: int) -> RunnableConfig:
        return {"run_name": f"step {step}", "metadata": {"step": step}, **(step_config(step) if step_config else {})}

    microstep = _microstep(voters, config_of)
    window = None
    if ahead.lookahead != 1:
        own = Calls(**{**(calls or {}), **(ahead.draft_calls or {})})
        drafter = _drafter(task, ahead.draft_model or model, voting.seed, own)
        first = voting.first_round
        microstep = microsteps_ahead(microstep, voters[0], drafter, config_of, total=machine.total, first=first)
        asks = not isinstance(task, Predicts)
        worth = Width(width)  # one for all invocations: what drafts are worth is not forgotten between two segments
        window = partial(Window, task, worth, first=first, checked=checked, asks=asks)
    return (
        _Maker(
            (segment.steps or machine.total or STEPS) * len(voters),
            MakerState,
            trusting=trust_checkpoints,
            window=window,
            input_schema=MakerInput,
            output_schema=MakerOutput,
            context_schema=context_schema,
        )
        .add_node("start", _start(machine, log, segment))
        .add_node("microstep", microstep)
        .add_node("escalate", _escalate(task, voters, at_the_end, check=voting.check))
        .add_node("commit", _commit(task, machine, log, checked=checked))
        .add_edge(START, "start")
        .add_conditional_edges("start", Node(next_step_or_end), ["microstep", END])
        .add_conditional_edges("microstep", Node(decided_or_stuck), ["commit", "escalate"])
        .add_conditional_edges("escalate", Node(next_rung_or_commit), ["microstep", "commit"])
        .add_conditional_edges("commit", Node(next_step_or_end), ["microstep", END])
    )


def _microstep(voters: Sequence[Voter], config_of: Callable[[int], RunnableConfig]) -> Node:
    """Return the node that votes on the step at hand, on the rung that it stands on."""
    vote = voters[0]  # a name of its own: in it, LangGraph finds the graph to draw

    def microstep(values: MakerState) -> Any:
        voter = vote if not values["rung"] else voters[values["rung"]]
        return voter.invoke({"state": values["state"]}, config_of(values["step"] + 1))

    async def amicrostep(values: MakerState) -> Any:
        voter = vote if not values["rung"] else voters[values["rung"]]
        return await voter.ainvoke({"state": values["state"]}, config_of(values["step"] + 1))

    return Node(microstep, amicrostep)


def _start(machine: Machine, log: Log | None, segment: Segment) -> Node:
    """Return the node that says where an invocation begins and when it ends."""

    def start(values: MakerState) -> dict[str, Any]:
        fresh = machine.begin()
        if log is not None:
            at: Any = log.position()
        elif "state" in values and values.get("origin", fresh["digest"]) != fresh["digest"]:
            raise UsageError("This thread holds another task, or one with other settings: use a new thread.")
        else:
            at = {name: values[name] for name in fresh} if "state" in values else fresh  # type: ignore[literal-required]  # its own keys
        return {
            **at,
            "origin": fresh["digest"],
            "until": None if segment.steps is None else at["step"] + segment.steps,
            "until_samples": None if segment.samples is None else at["totals"]["samples"] + segment.samples,
            "rung": 0,
            "tried": [],
            "ahead": [],
            "dropped": 0,
        }

    return Node(start)


def _escalate(task: Task, voters: Sequence[Voter], at_the_end: OnUndecided, *, check: bool) -> Node:
    """Return the node that sends a stuck step up the ladder, or ends it there."""

    def escalate(values: MakerState) -> dict[str, Any]:
        undecided = cast("Decision", values["decision"])
        rung = (values["rung"] or 0) + 1
        if rung < len(voters):
            return {"rung": rung, "tried": [*values["tried"], vote_of(undecided)]}
        undecided = after_trying(values["tried"], undecided)
        if at_the_end == "raise":
            raise error_of(undecided)
        if at_the_end == "return":
            return {"rung": None}
        answer = ask_person(undecided, task.prompt(values["state"]), reading_of(task, values["state"], check=check))
        get_stream_writer()({"decision": answer})
        return {"rung": None, "tried": answer["tried"], "decision": dict(answer)}

    return Node(escalate)


def _commit(task: Task, machine: Machine, log: Log | None, *, checked: bool) -> Node:
    """Return the node that applies the decisions in order, each only to the question that it was asked."""

    def commit(values: MakerState) -> dict[str, Any]:
        decision = after_trying(values["tried"], cast("Decision", values["decision"]))
        steps = [Committed(decision, values, machine.advance(values, decision))]
        for later in values["ahead"]:
            at = steps[-1].after
            if at["done"] or not asks_the_same(task, later["state"], at["state"], checked=checked):
                break
            decision = cast("Decision", later["decision"])
            steps.append(Committed(decision, at, machine.advance(at, decision)))
        if log is not None:
            log.append(steps)
        return {**steps[-1].after, "rung": 0, "tried": [], "ahead": []}

    return Node(commit)


def _drafter(task: Task, model: Model | Sequence[Model], seed: int | None, calls: Calls) -> Drafter:
    if isinstance(task, Predicts):
        return Drafter(task, None)
    sampler = Sampler(
        resolve_models(model, seed=seed)[:1],
        temperature=0.0,
        max_tokens=TOKENS_PER_ANSWER * LONGEST_DRAFT,
        seed=None if seed is None else sample_seed(seed, "draft", 0),
        name="draft",
        calls=calls,
    )
    return Drafter(task, sampler)


def _width(lookahead: object) -> int | None:
    if lookahead == "auto":
        return None
    if isinstance(lookahead, bool) or not isinstance(lookahead, int) or lookahead < 1:
        raise UsageError(f"lookahead is a whole number of at least 1, or 'auto'; not {lookahead!r}.")
    return lookahead


def _checked(task: object, segment: Segment, ladder: object, on_undecided: OnUndecided | None) -> OnUndecided:
    """Return what happens at the end of the ladder, if the settings can be kept."""
    see_task(task)
    for name, number in (("steps_per_segment", segment.steps), ("samples_per_segment", segment.samples)):
        if number is not None:
            checks.whole(name, number)
    if ladder is not None and not isinstance(ladder, Ladder):
        raise UsageError(f"ladder is a Ladder, or None for none, not {ladder!r}.")
    if on_undecided is not None:
        checks.one_of("on_undecided", on_undecided, get_args(OnUndecided))
    skippable = isinstance(task, Skippable)
    if on_undecided == "return" and not skippable:
        raise UsageError("on_undecided='return' leaves a step open, and this task has no skip(state) to go on without it.")
    return on_undecided or ("return" if skippable else "raise")


def decided_or_stuck(values: MakerState) -> str:
    """Return where a vote leads."""
    return "commit" if values["decision"]["status"] == "decided" else "escalate"


def next_rung_or_commit(values: MakerState) -> str:
    """Return where a stuck step goes on."""
    return "commit" if values["rung"] is None else "microstep"


def next_step_or_end(values: MakerState) -> str:
    """Return what follows a step, or the start: the next one, if neither the task nor the segment is over."""
    drawn = values["totals"]["samples"] + values["dropped"]
    full = values["until_samples"] is not None and drawn >= values["until_samples"]
    return END if values["done"] or values["step"] == values["until"] or full else "microstep"


class _Maker(StateGraph[Any, Any, Any, Any]):
    """A state graph whose compiled form may take as many supersteps as its task or segment needs."""

    def __init__(
        self,
        steps: int,
        state: type[Any],
        *,
        trusting: bool,
        window: Callable[[], Window] | None,
        **schemas: type[Any] | None,
    ) -> None:
        super().__init__(state, **schemas)
        self._steps = steps
        self._window = window
        self._trusting = trusting

    def compile(self, checkpointer: Checkpointer = None, **kwargs: Any) -> CompiledStateGraph[Any, Any, Any, Any]:
        """Return the compiled graph; see `StateGraph.compile`.

        Raises:
            UsageError: the checkpointer runs what its database says. The compiled graph raises it too, when it is a part of a
                graph with such a checkpointer.
        """
        if not self._trusting:
            refuse_permissive(checkpointer)
        graph = super().compile(checkpointer, **kwargs)
        supersteps = 3 * self._steps + 2
        return (
            BoundedGraph.of(graph, supersteps, trusting=self._trusting)
            if self._window is None
            else WindowedGraph.of(graph, supersteps, trusting=self._trusting, window=self._window)
        )
