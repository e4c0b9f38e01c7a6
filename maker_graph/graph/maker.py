"""The outer machine: a task, one voted microstep after the other, as a state graph.

    START -> start -> microstep -> commit -> microstep again, or END
                          ^   |
                          |   v  undecided
                         escalate -> commit, if a person answered or the step is left open

A task of several parts has a node for each in the place of `microstep`, by the name of the part. The node of a given part
(`given.py`) leads to `commit` alone. Independent items go through a graph of another shape (`items.py`).

The state is plain JSON and does not grow with the steps: the task's state, the step number, a running digest, running
totals. Answers leave through the `log`, one by one, before any checkpoint can say that they happened. So a process that is
killed may leave checkpoints that are older than its log. A resumed run goes on where the log ends (`further`).

A step whose vote ends undecided climbs the ladder (`ladder.py`). With `lookahead` many microsteps are in flight on
drafted states (`lookahead.py`), and `commit` takes all that are decided at the front, in order.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Literal, NamedTuple, cast, get_args

from langchain_core.runnables import RunnableConfig
from langgraph.config import get_stream_writer
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Checkpointer
from typing_extensions import TypedDict

from maker_graph.core import checks
from maker_graph.core.decision import Decision, Vote, after_trying, rung_of, vote_of
from maker_graph.core.decision import undecided as error_of
from maker_graph.core.emitting import Emit, emit_of
from maker_graph.core.guarding import AnyTask, Given, Guarded, draftable, guarded, see_task
from maker_graph.core.machine import Climb, ClimbLog, Committed, Log, Machine, MakerOutput, further
from maker_graph.core.red_flags import RedFlag
from maker_graph.core.rules import StoppingRule
from maker_graph.core.task import Checks, Predicts, Skippable, Verifies
from maker_graph.core.voting import MAX_SAMPLES, STUCK_AFTER, Auto, K, Temperature, Voting
from maker_graph.errors import LimitReached, UsageError
from maker_graph.graph.cascade import Rung
from maker_graph.graph.committing import commit_node
from maker_graph.graph.drafter import LONGEST_DRAFT, TOKENS_PER_ANSWER, Drafter
from maker_graph.graph.given import OnDoubt, acts_unlogged, given_node, see_durable
from maker_graph.graph.items import ItemsState, SlotsOf, items_at_once, segment_ends, with_items
from maker_graph.graph.ladder import Ladder, Models
from maker_graph.graph.lookahead import microsteps_ahead
from maker_graph.graph.microstep import OnUndecided
from maker_graph.graph.parts import Asked, parts_asked, rungs_asked
from maker_graph.graph.people import ask_person
from maker_graph.graph.runnables import BoundedGraph, Durable, Node
from maker_graph.graph.serializer import refuse_permissive
from maker_graph.graph.slots import Slots
from maker_graph.graph.underway import UnderWay, WindowedGraph
from maker_graph.graph.voters import Voters, reading_of
from maker_graph.graph.width import Width
from maker_graph.graph.window import Window, asks_the_same
from maker_graph.models.calls import Calls
from maker_graph.models.requests import sample_seed
from maker_graph.models.resolving import Model, resolve_models
from maker_graph.models.sampler import Sampler

MOST_STEPS = 10_000_000
"""The limit on steps if neither the task nor the caller sets one. A task that reaches it may be going round in circles."""


NO_MORE_RUNGS = 1_000_000
"""The rung of a step that no rung decided, and about which a person is asked again. No rung comes after it."""


class MakerInput(TypedDict):
    """Nothing: an empty input starts the task, or goes on with it."""


class DecidedAhead(TypedDict):
    """A decision on a predicted state, with that state. It holds if the real state asks the same question."""

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
    task: AnyTask,
    *,
    model: Models | Mapping[str, Models] | None = None,
    k: int | StoppingRule | Mapping[str, int | StoppingRule] = K,
    check: bool = True,
    variants: bool = False,
    red_flags: Sequence[RedFlag] | None = None,
    max_samples: int = MAX_SAMPLES,
    stuck_after: int = STUCK_AFTER,
    temperature: Temperature | Auto = "auto",
    max_tokens: int | Auto | None = "auto",
    seed: int | None = None,
    stop: Sequence[str] = (),
    structured: bool = False,
    emit: Emit | str | bool | None = None,
    ladder: Ladder | None = Ladder(),  # noqa: B008  immutable
    cascade: Sequence[Rung] | None = None,
    lookahead: int | Literal["auto"] | None = None,
    draft_model: Model | None = None,
    draft_calls: Calls | None = None,
    on_undecided: OnUndecided | None = None,
    on_doubt: OnDoubt = "again",
    max_steps: int | None = None,
    steps_per_segment: int | None = None,
    samples_per_segment: int | None = None,
    log: Log | None = None,
    calls: Calls | None = None,
    step_config: Callable[[int], RunnableConfig] | None = None,
    context_schema: type[Any] | None = None,
    trust_checkpoints: bool = False,
) -> StateGraph[Any, Any, Any, Any]:
    """Return the outer machine, uncompiled: the caller chooses the checkpointer, the name and the interrupts.

    Invoke it with `{}` to start the task, or to go on where the thread stands. Invoke it with None to resume what was
    interrupted. It runs to the end of the task by default. Each decision goes to the custom stream (`stream_mode="custom",
    subgraphs=True`).

    `steps_per_segment` bounds the memory of a very long task, and the size of its trace. One invocation is one trace, to which
    each step adds 12 runs or more, so a long task that is traced needs it.

    Args:
        task: what is to be done; see `maker_graph.core.task`.
        model: as for `create_microstep`, which explains also the other settings of a vote. For a task of several parts also a
            mapping from the name of each voted part to its model. Leave it out with a `cascade`.
        k: the lead that decides, or a stopping rule. For a task of parts also a mapping from names of voted parts; a part that
            is not in it has its own `k`, or the default. A plain `k` is for the parts that have none of their own.
        check: whether answers that break the task's rules are flagged as invalid, if the task has rules.
        variants: whether each sample is asked one of the equivalent questions that the task's `variants(state)` returns.
        red_flags: the red flags that take the place of the default ones.
        max_samples: a vote that needs more samples than this is undecided.
        stuck_after: a vote that ends with this many red flags in a row is undecided too.
        temperature: the temperature of the first sample, and of the others.
        max_tokens: the output cap of each sample.
        seed: the number from which each sample's own seed is made.
        stop: texts at which a reply ends.
        structured: whether the JSON schema of a reply, which the task has as its `schema`, goes to the provider.
        emit: whether a second call writes the answer in its form; see `create_microstep`.
        ladder: the rungs that a stuck step climbs; None leaves it to `on_undecided` at once.
        cascade: the rungs that a step goes through, the first included, each with a model and a `Voting` of its own. It takes
            the place of all settings from `model` to `ladder`. What one rung does not decide goes to the next. What none
            decides is left to `on_undecided`.
        lookahead: how many microsteps are in flight at once, on drafted states; "auto" adapts to how often drafts hold, within
            `max_concurrency`. It makes a task faster, and draws some samples that are then dropped. It changes no decision. By
            default it is 1. Independent items need no drafts: as many are in flight as `max_concurrency` allows, or 32.
        draft_model: the model that drafts, if the task does not draft by itself. Default: `model`, or the first of several.
        draft_calls: how requests for drafts are made, if not as those for votes.
        on_undecided: what happens to a step that no rung decided: "raise", "return" (leave it open) or "interrupt" (ask a
            person). Default: "return" if the task can `skip`, else "raise".
        on_doubt: what happens to an action on the world that a process began and did not commit: "again" performs it again,
            "ask" asks a person through `interrupt`, who replies "again" or what the action returned. "ask" needs a `log`.
        max_steps: the most steps. If the task is not done by then, `LimitReached` is raised, because the task may go round in
            circles. All steps are kept, and a machine with a higher limit goes on. Default: the number that the task says
            (`total`), or 10,000,000 if it says none.
        steps_per_segment: end an invocation after this many steps; the next one, with `{}`, goes on.
        samples_per_segment: end an invocation earlier, after the step with which it has drawn this many samples.
        log: where decided steps are written before the state changes. A task that acts on the world needs a log that is an
            `ActionLog`. Without one it needs a checkpointer, and is run with durability="sync".
        calls: how requests are made: the account of what is spent, a gate that is shared with other graphs, the patience with
            a provider, a time-out.
        step_config: a function from a step number to the config of its microstep, for traces: run_name, run_id, tags,
            metadata.
        context_schema: the context schema of the graph, for settings that a server shows. The machine itself reads none.
        trust_checkpoints: also accept a checkpointer that may run code from its database; see `serializer.py`.

    Raises:
        UsageError: a setting is wrong, or the task lacks a function of the contract.
    """
    voting = Voting(
        k=K if isinstance(k, Mapping) else k,
        temperature=temperature,
        max_tokens=max_tokens,
        max_samples=max_samples,
        stuck_after=stuck_after,
        seed=seed,
        check=check,
        variants=variants,
        stop=stop,
        structured=structured,
        emit=emit_of(emit),
        red_flags=red_flags,
    )
    see_task(task)
    inside = guarded(task)
    asked = parts_asked(inside, model, k, voting, ladder) if cascade is None else rungs_asked(inside, model, voting, cascade)
    return build_maker(
        task,
        asked=asked,
        ahead=Ahead(lookahead, draft_model, draft_calls),
        calls=calls,
        on_undecided=on_undecided,
        on_doubt=on_doubt,
        segment=Segment(steps_per_segment, samples_per_segment),
        max_steps=max_steps,
        log=log,
        step_config=step_config,
        context_schema=context_schema,
        trust_checkpoints=trust_checkpoints,
    )


class Ahead(NamedTuple):
    """How far a machine looks ahead, which model drafts, and how the requests for drafts are made."""

    lookahead: int | Literal["auto"] | None = None
    draft_model: Model | None = None
    draft_calls: Calls | None = None


class Segment(NamedTuple):
    """When an invocation ends before the task does: after this many steps, or after the step that reaches this many samples."""

    steps: int | None = None
    samples: int | None = None


def build_maker(
    task: AnyTask,
    *,
    asked: Asked,
    ahead: Ahead,
    calls: Calls | None,
    on_undecided: OnUndecided | None,
    on_doubt: OnDoubt,
    segment: Segment,
    max_steps: int | None,
    log: Log | None,
    step_config: Callable[[int], RunnableConfig] | None,
    context_schema: type[Any] | None = None,
    trust_checkpoints: bool = False,
) -> StateGraph[Any, Any, Any, Any]:
    """Return the outer machine, uncompiled; the arguments are as in `create_maker`, and `asked` says how each part is voted."""
    at_the_end = _checked(task, segment, on_undecided)
    machine = Machine(task)
    most = machine.total or MOST_STEPS if max_steps is None else checks.whole("max_steps", max_steps)
    voting, parts = asked.voting, asked.voters(calls)

    def config_of(step: int) -> RunnableConfig:
        return {"run_name": f"step {step}", "metadata": {"step": step}, **(step_config(step) if step_config else {})}

    made = partial(_Maker, trusting=trust_checkpoints, context_schema=context_schema)
    supersteps = 3 * (segment.steps or most) * max((len(each.rungs) for each in parts.values()), default=1) + 2
    see = partial(_see, most, log)
    if machine.task.given is not None:
        graph = made(supersteps, ItemsState, window=partial(Slots, machine.task, checked=voting.check, log=log))
        graph.add_node("start", _start(machine, log, segment, decisions=[], full=False))
        (voters,) = parts.values()
        slots = SlotsOf(
            total=min(machine.total or most, most),
            width=_width(ahead.lookahead, default=None),
            first=asked.first_round,
            each=voters.samples,
        )
        items = items_at_once(voters, config_of, slots, at_the_end).after(see)
        return with_items(graph, items, machine, log, at_the_end, check=voting.check)
    nodes: dict[str, Node] = {name: _microstep(voters, config_of) for name, voters in parts.items()}
    checked = voting.check and isinstance(machine.task, Checks | Verifies)
    window = None
    if (width := _width(ahead.lookahead)) != 1:
        draftable(task)
        drafter = _drafter(machine.task, ahead, asked.first_model, voting.seed, calls)
        nodes = _ahead(nodes, parts, machine, drafter, config_of, first=asked.first_round, most=most)
        asks = not isinstance(machine.task, Predicts)
        worth = Width(width)  # one for all invocations: what drafts are worth is not forgotten between two segments
        sameness = {"checked": checked, "varied": voting.variants}
        window = partial(Window, machine.task, worth, first=asked.first_round, asks=asks, **sameness)
    durable = see_durable if acts_unlogged(machine.task, log, on_doubt) else None
    graph = made(supersteps, MakerState, window=window, durable=durable)
    graph.add_node("start", _start(machine, log, segment, rung=0, tried=[], ahead=[], dropped=0, decision={}))
    graph.add_edge(START, "start")
    names = list(machine.task.parts)
    for name, part in machine.task.parts.items():
        if isinstance(part, Given):
            graph.add_node(name, given_node(part, machine.task.title, log, on_doubt).after(see)).add_edge(name, "commit")
        else:
            graph.add_node(name, nodes[name].after(see))
            graph.add_conditional_edges(name, Node(decided_or_stuck), ["commit", "escalate"])
    if parts:
        graph.add_node("escalate", _escalate(machine.task, parts, at_the_end, log, check=voting.check))
        graph.add_conditional_edges("escalate", _next_rung_or_commit(machine.task), [*parts, "commit"])
    graph.add_node("commit", _commit(machine, log, checked=checked, varied=voting.variants))
    next_part_or_end = _next_part_or_end(machine.task)
    keeps = bool(parts) and isinstance(log, ClimbLog)
    graph.add_conditional_edges("start", next_part_or_end, [*names, *["escalate"] * keeps, END])
    graph.add_conditional_edges("commit", next_part_or_end, [*names, END])
    return graph


def _ahead(
    nodes: Mapping[str, Node],
    parts: Mapping[str, Voters],
    machine: Machine,
    drafter: Drafter,
    config_of: Callable[[int], RunnableConfig],
    *,
    first: int,
    most: int,
) -> dict[str, Node]:
    """Return the nodes of the parts with lookahead."""
    ahead_of = partial(
        microsteps_ahead,
        voter_of=lambda state: parts[machine.task.voted(state).name].rungs[0],
        drafter=drafter,
        config_of=config_of,
        total=min(machine.total or most, most),
        first=first,
    )
    return {name: ahead_of(node) for name, node in nodes.items()}


def _see(most: int, log: Log | None, values: Mapping[str, Any]) -> dict[str, Any] | None:
    """Make sure that the step at hand may be taken; return an empty decision if the step is in the log already.

    Raises:
        LimitReached: the limit on steps is reached.
    """
    if further(log, values["step"]) is not None:
        return {"decisions": []} if "decisions" in values else {"decision": {}}
    if values["step"] >= most:
        raise LimitReached(
            f"The limit of {most:,} steps is reached, and the task is not done. Go on with a higher limit (--max-steps, in "
            "Python max_steps), unless the task goes round in circles."
        )
    return None


def _microstep(voters: Voters, config_of: Callable[[int], RunnableConfig]) -> Node:
    """Return the node that votes on the step at hand, on the rung that it stands on."""
    vote, *others = voters.rungs  # `vote` has a name of its own: in it, LangGraph finds the graph to draw

    def microstep(values: MakerState) -> Any:
        voter = vote if not values["rung"] else others[values["rung"] - 1]
        return voter.invoke({"state": values["state"]}, config_of(values["step"] + 1))

    async def amicrostep(values: MakerState) -> Any:
        voter = vote if not values["rung"] else others[values["rung"] - 1]
        return await voter.ainvoke({"state": values["state"]}, config_of(values["step"] + 1))

    return Node(microstep, amicrostep)


def _start(machine: Machine, log: Log | None, segment: Segment, **under_way: Any) -> Node:
    """Return the node that sets where an invocation begins and when it ends, with nothing under way."""

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
            **under_way,
            **(_climbed(log, at["step"] + 1) if "rung" in under_way else {}),
        }

    return Node(start)


def _climbed(log: Log | None, step: int) -> dict[str, Any]:
    """Return how far `step` has come on its rungs, if an earlier invocation left it between two rungs."""
    climb = log.climbs().get(step) if isinstance(log, ClimbLog) else None
    if climb is None:
        return {}
    if climb.question is not None:
        return {"rung": NO_MORE_RUNGS, "tried": list(climb.tried), "decision": dict(climb.question)}
    return {"rung": 1 + rung_of(climb.tried[-1]["by"]), "tried": list(climb.tried)}


def _escalate(task: Guarded, parts: Mapping[str, Voters], at_the_end: OnUndecided, log: Log | None, *, check: bool) -> Node:
    """Return the node that sends an undecided step to the next rung that takes it, or ends it."""

    def keep(values: MakerState, climb: Climb) -> None:
        if isinstance(log, ClimbLog):
            log.keep_climbs({values["step"] + 1: climb})

    def escalate(values: MakerState) -> dict[str, Any]:
        if further(log, values["step"]) is not None:
            return {"rung": None}
        undecided, part = cast("Decision", values["decision"]), task.voted(values["state"])
        voters = parts[part.name]
        rung = voters.after(values["rung"] or 0, undecided)
        if rung is not None:
            tried = [*values["tried"], vote_of(undecided)]
            if voters.contested:
                keep(values, Climb(tried))
            return {"rung": rung, "tried": tried}
        if undecided.get("passed", False) and at_the_end != "return":
            keep(values, Climb(values["tried"], undecided))
        undecided = after_trying(values["tried"], undecided)
        if at_the_end == "raise":
            raise error_of(undecided)
        if at_the_end == "return":
            return {"rung": None}
        answer = ask_person(undecided, part.prompt(values["state"]), reading_of(part, values["state"], check=check))
        get_stream_writer()({"decision": answer})
        return {"rung": None, "tried": answer["tried"], "decision": dict(answer)}

    return Node(escalate)


def _commit(machine: Machine, log: Log | None, *, checked: bool, varied: bool) -> Node:
    """Return the node that applies the decisions in order, each only to the question that was voted on."""
    several = len(machine.task.parts) > 1

    def step(at: MakerOutput, decision: Decision) -> Committed:
        if several:
            decision = {**decision, "part": machine.task.at(at["state"]).name}
        return Committed(decision, at, machine.advance(at, decision))

    def steps_of(values: MakerState) -> list[Committed]:
        steps = [step(values, after_trying(values["tried"], cast("Decision", values["decision"])))]
        for later in values["ahead"]:
            at = steps[-1].after
            if at["done"] or not asks_the_same(machine.task, later["state"], at["state"], checked=checked, varied=varied):
                break
            steps.append(step(at, cast("Decision", later["decision"])))
        return steps

    return commit_node(log, steps_of, {"rung": 0, "tried": [], "ahead": [], "decision": {}})


def _drafter(task: Guarded, ahead: "Ahead", model: Models, seed: int | None, calls: Calls | None) -> Drafter:
    if isinstance(task, Predicts):
        return Drafter(task, None)
    sampler = Sampler(
        resolve_models(ahead.draft_model or model, seed=seed)[:1],
        temperature=0.0,
        max_tokens=TOKENS_PER_ANSWER * LONGEST_DRAFT,
        seed=None if seed is None else sample_seed(seed, "draft", 0),
        name="draft",
        calls=Calls(**{**(calls or {}), **(ahead.draft_calls or {})}),
    )
    return Drafter(task, sampler)


def _width(lookahead: object, *, default: int | None = 1) -> int | None:
    if lookahead is None:
        return default
    if lookahead == "auto":
        return None
    if isinstance(lookahead, bool) or not isinstance(lookahead, int) or lookahead < 1:
        raise UsageError(f"lookahead is a whole number of at least 1, or 'auto'; not {lookahead!r}.")
    return lookahead


def _checked(task: object, segment: Segment, on_undecided: OnUndecided | None) -> OnUndecided:
    """Return what happens at the end of the ladder, if the settings can be kept."""
    see_task(task)
    for name, number in (("steps_per_segment", segment.steps), ("samples_per_segment", segment.samples)):
        if number is not None:
            checks.whole(name, number)
    if on_undecided is not None:
        checks.one_of("on_undecided", on_undecided, get_args(OnUndecided))
    skippable = isinstance(guarded(task), Skippable)  # type: ignore[arg-type]  # it was seen to be a task
    if on_undecided == "return" and not skippable:
        raise UsageError("on_undecided='return' leaves a step open, and this task has no skip(state) to go on without it.")
    return on_undecided or ("return" if skippable else "raise")


def decided_or_stuck(values: MakerState) -> str:
    """Return where a vote leads."""
    return "commit" if values["decision"].get("status", "decided") == "decided" else "escalate"


def _next_rung_or_commit(task: Guarded) -> Node:
    """Return the edge that says where a stuck step goes on."""

    def next_rung_or_commit(values: MakerState) -> str:
        return "commit" if values["rung"] is None else task.voted(values["state"]).name

    return Node(next_rung_or_commit)


def _next_part_or_end(task: Guarded) -> Node:
    """Return the edge that follows a step, or the start: to the next part, if neither the task nor the segment is over."""

    def next_part_or_end(values: MakerState) -> str:
        if values["decision"]:  # kept by an invocation before this one: nobody votes on the step again
            return "escalate"
        drawn = values["totals"]["samples"] + values["dropped"]
        full = values["until_samples"] is not None and drawn >= values["until_samples"]
        return END if values["done"] or segment_ends(values) or full else task.at(values["state"]).name

    return Node(next_part_or_end)


class _Maker(StateGraph[Any, Any, Any, Any]):
    """A state graph whose compiled form may take as many supersteps as its task or segment needs."""

    def __init__(
        self,
        supersteps: int,
        state: type[Any],
        *,
        trusting: bool,
        window: Callable[[], UnderWay] | None,
        durable: Durable | None = None,
        context_schema: type[Any] | None,
    ) -> None:
        super().__init__(state, context_schema, input_schema=MakerInput, output_schema=MakerOutput)
        self._supersteps = supersteps
        self._window = window
        self._trusting = trusting
        self._durable = durable

    def compile(self, checkpointer: Checkpointer = None, **kwargs: Any) -> CompiledStateGraph[Any, Any, Any, Any]:
        """Return the compiled graph; see `StateGraph.compile`.

        Raises:
            UsageError: the checkpointer may run code from its database. The compiled graph raises it too, when it is a part of
                a graph with such a checkpointer.
        """
        if not self._trusting:
            refuse_permissive(checkpointer)
        graph = super().compile(checkpointer, **kwargs)
        more: dict[str, Any] = {"trusting": self._trusting, "durable": self._durable}
        if self._window is None:
            return BoundedGraph.of(graph, self._supersteps, **more)
        return WindowedGraph.of(graph, self._supersteps, window=self._window, **more)
