"""The microstep: one voted decision as a compiled graph that any LangGraph app can take as a node.

    START -> sample (one per sample, in parallel) -> red_flag -> vote -> sample again, or END

`sample` draws, `red_flag` discards, `vote` counts and asks the stopping rule. A round draws what the leader still lacks
(`core/rules.py`), all its samples are awaited, and they are counted in the order in which they were launched.

Three schemas, for the traps of shared channels. In: the caller's keys, without their reducers, which the parent applies. Out:
only the keys that the microstep writes, each overwritten with just what is new, so that a parent's reducer counts it once.
Inside: the two, and the votes, which never leave.
"""

import json
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Annotated, Any, Literal, NotRequired, Required, TypeAlias, get_args, get_origin, get_type_hints

from langchain_core.messages import AIMessage
from langgraph.config import get_stream_writer
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Send, interrupt
from pydantic import BaseModel
from typing_extensions import TypedDict

from maker_graph.core import checks
from maker_graph.core.answers import reader_of, see_key
from maker_graph.core.decision import Decision, Judged, Reader, Vote, answered, decide, judge, judge_all, next_draw
from maker_graph.core.red_flags import RedFlag, Sample, empty
from maker_graph.core.rules import StoppingRule
from maker_graph.core.task import Prompt
from maker_graph.core.voting import MAX_SAMPLES, STUCK_AFTER, Auto, K, Temperature, Voting
from maker_graph.errors import Undecided, UsageError
from maker_graph.graph.runnables import BoundedGraph, Node
from maker_graph.models.calls import Calls
from maker_graph.models.names import info_of
from maker_graph.models.prompts import as_pairs
from maker_graph.models.resolving import Model, resolve_models
from maker_graph.models.sampler import Sampler

OnUndecided: TypeAlias = Literal["raise", "return", "interrupt"]

_FIELDS = [field.name for field in fields(Sample)]


class _Vote(TypedDict):
    """What a microstep knows while it votes; none of it leaves."""

    vote_samples: Annotated[list[dict[str, Any]], operator.add]
    vote_judged: list[Judged]
    vote_rounds: int
    vote_next: int


def create_microstep(
    model: Model | Sequence[Model],
    *,
    state: type[Any] = MessagesState,
    prompt: Callable[[Any], Prompt] | None = None,
    answer: Any = None,
    key: Callable[[Any], Any] | None = None,
    check: Callable[[Any, Any], bool] | None = None,
    into: str | None = None,
    decision: str | None = None,
    k: int | StoppingRule = K,
    red_flags: Sequence[RedFlag] | None = None,
    max_samples: int = MAX_SAMPLES,
    stuck_after: int = STUCK_AFTER,
    temperature: Temperature | Auto = "auto",
    max_tokens: int | Auto | None = "auto",
    seed: int | None = None,
    on_undecided: OnUndecided = "raise",
    calls: Calls | None = None,
    name: str = "microstep",
) -> CompiledStateGraph[Any, Any, Any, Any]:
    """Return one voted decision as a compiled graph, to be used as a node or on its own.

    In a graph of messages nothing but the model is needed: the conversation is the prompt, the stripped reply is the vote, and
    one AIMessage is appended. In any other graph, say what to ask, how to read a reply and where the answer goes.

    The full decision (ballot, samples, red flags, rounds, usage) goes to the custom stream as `{"decision": ...}`; stream with
    `stream_mode="custom", subgraphs=True` to see it.

    Args:
        model: a chat model, a `provider:model` string, or several that take turns (sample i asks model i mod n).
        state: the schema of the graph that the node is put into: a TypedDict, a dataclass or a pydantic model.
        prompt: from the state to what the model sees; a pure function. Default: the state's `messages`.
        answer: a type, or a function from the text of a reply to the answer. What does not fit, or raises, is malformed.
            Default: the stripped text.

            A type is read strictly, as JSON: `bool` takes `true` and `false`, `int` takes `3` and no `"3"`, `list[int]`, a
            pydantic model, dataclass, TypedDict or NamedTuple what their fields take. What is a text stands without quotes
            too: `yes` for `Literal["yes", "no"]`, `billing` for an Enum of texts, `2026-01-31` for a date, `10.50` for a
            Decimal. `str` is the text as it is. Sets, bytes and secrets cannot be compared, and are refused.
        key: from an answer to what is voted on, if not the whole answer. It sees an instance of the type, or the plain JSON of
            what the function returned. Equal values are one vote: the Decimals 10.50 and 10.5, an accent composed or apart.
        check: from state and answer to True, or False if the answer breaks a rule of the domain; it may also raise
            `Invalid("why")`. Then the sample is flagged as invalid. It sees the answer as `key` does.
        into: the key of the state that gets the answer, as plain JSON. Default: an AIMessage appended to `messages`.
        decision: the key of the state that gets the full decision, as plain JSON. Default: none.
        k: the lead that decides, or a stopping rule: `AheadBy(k)`, `FirstTo(k)`, `Majority(n)`.
        red_flags: for which raw samples to discard, in place of truncated, too_long(max_tokens), refused, tool_calls, ended,
            no_text and empty. Leave out tool_calls if a call beside a text may be lost.
        max_samples: a vote that needs more samples than this is undecided.
        stuck_after: and so is one with so many red flags in a row at its end.
        temperature: of the first sample and of the others, or one for all; None leaves it to the model. "auto" is the one that
            a chat model was made with, else (0, .1) as in the paper; 1 for `tiny`.
        max_tokens: the output cap of each sample; None leaves it to the model. "auto" is the one that a chat model was made
            with, else 750 as in the paper, or the one with which a simulated model was measured.
        seed: from which each sample gets a seed of its own; None sends no seed.
        on_undecided: "raise" `Undecided`; "return" None as the answer (the decision says why); or "interrupt" and ask a
            person, whose reply (`Command(resume="...")`) is read like a sample's.
        calls: how requests are made: who keeps the account, a gate that others share, patience with a provider, a time-out.
        name: the graph's name, in drawings and traces.

    Raises:
        UsageError: a setting is wrong; the text says which, and what to do.
    """
    voting = Voting(
        k=k,
        temperature=temperature,
        max_tokens=max_tokens,
        max_samples=max_samples,
        stuck_after=stuck_after,
        seed=seed,
        red_flags=red_flags,
    )
    asking = Asking(state=state, prompt=prompt, answer=answer, key=key, check=check, into=into, decision=decision)
    return build_microstep(model, voting, asking, on_undecided=on_undecided, calls=calls, name=name)


@dataclass(frozen=True, slots=True)
class Asking:
    """What a microstep asks, how it reads replies, and where the answer goes; each as in `create_microstep`."""

    state: type[Any] = MessagesState
    prompt: Callable[[Any], Prompt] | None = None
    answer: Any = None
    key: Callable[[Any], Any] | None = None
    check: Callable[[Any, Any], bool] | None = None
    into: str | None = None
    decision: str | None = None


def build_microstep(
    model: Model | Sequence[Model],
    voting: Voting,
    asking: Asking,
    *,
    on_undecided: OnUndecided = "raise",
    calls: Calls | None = None,
    name: str = "microstep",
    by: str = "base",
) -> CompiledStateGraph[Any, Any, Any, Any]:
    """Return one voted decision as a compiled graph; `by` is what its decision says of which rung voted.

    Raises:
        UsageError: a setting is wrong; the text says which, and what to do.
    """
    checks.one_of("on_undecided", on_undecided, get_args(OnUndecided))
    _see_functions(asking.prompt, asking.key, asking.check)
    voting = info_of(model).suited(voting)
    flags_by_name = voting.flags
    state, key, check, into, decision = asking.state, asking.key, asking.check, asking.into, asking.decision
    keys = _keys_of(state, asking.prompt, into, decision)
    out = _schema("MicrostepOutput", "What a microstep writes.", _written(keys, into, decision))
    view = _view_of(state, keys)
    prompt = asking.prompt or _messages
    read = reader_of(asking.answer)
    sampler = Sampler(
        resolve_models(model, seed=voting.seed),
        temperature=voting.temperatures,
        max_tokens=voting.output_cap,
        seed=voting.seed,
        calls=calls,
    )

    def reading(values: Mapping[str, Any]) -> Reader:
        bound = None if check is None else lambda reply: check(view(values), reply)
        return Reader(read.parse, key, bound, flags_by_name, read.instances)

    def draws(values: Mapping[str, Any], start: int, number: int) -> list[Send]:
        asked = prompt(view(values))
        this = (values.get("vote_rounds") or 0) + 1
        return [Send("sample", {"prompt": asked, "index": start + i, "round": this}) for i in range(number)]

    def first_round(values: dict[str, Any]) -> list[Send]:
        return draws(values, 0, voting.first_round)

    def sample(ask: dict[str, Any]) -> dict[str, Any]:
        return {"vote_samples": [_as_dict(sampler.draw(ask["prompt"], ask["index"], round=ask["round"]))]}

    async def asample(ask: dict[str, Any]) -> dict[str, Any]:
        return {"vote_samples": [_as_dict(await sampler.adraw(ask["prompt"], ask["index"], round=ask["round"]))]}

    def red_flag(values: dict[str, Any]) -> dict[str, Any]:
        judged = values.get("vote_judged") or []
        samples = sorted((Sample(**each) for each in values["vote_samples"]), key=lambda each: each.index)
        earlier, drawn = samples[: len(judged)], samples[len(judged) :]
        ids_differ = sampler.look(drawn, earlier)
        return {"vote_judged": judged + judge_all(drawn, reading(values), earlier, ids_differ=ids_differ)}

    def vote(values: dict[str, Any]) -> dict[str, Any]:
        judged = values["vote_judged"]
        rounds = (values.get("vote_rounds") or 0) + 1
        more = next_draw(judged, voting)
        if more:
            return {"vote_rounds": rounds, "vote_next": more}
        result = decide(judged, voting, rounds, by)
        if result["status"] == "undecided":
            if on_undecided == "raise":
                raise stuck(result)
            if on_undecided == "interrupt":
                result = ask_person(result, prompt(view(values)), reading(values))
        get_stream_writer()({"decision": result})
        return {"vote_rounds": rounds, "vote_next": 0, **_update(result, into, decision)}

    def next_round_or_end(values: dict[str, Any]) -> list[Send] | str:
        return draws(values, len(values["vote_judged"]), values["vote_next"]) if values["vote_next"] else END

    graph = (
        StateGraph(
            _schema(
                "Microstep",
                "Inside a microstep.",
                {**keys, **get_type_hints(out), **get_type_hints(_Vote, include_extras=True)},
            ),
            input_schema=_schema(f"{state.__name__}Input", state.__doc__ or "", keys),
            output_schema=out,
        )
        .add_node("sample", Node(sample, asample))
        .add_node("red_flag", Node(red_flag))
        .add_node("vote", Node(vote))
        .add_conditional_edges(START, Node(first_round), ["sample"])
        .add_edge("sample", "red_flag")
        .add_edge("red_flag", "vote")
        .add_conditional_edges("vote", Node(next_round_or_end), ["sample", END])
        .compile(name=name)
    )
    return BoundedGraph.of(graph, supersteps=3 * voting.max_samples + 1)  # a round of at least one sample is three supersteps


def _as_dict(sample: Sample) -> dict[str, Any]:
    return {name: getattr(sample, name) for name in _FIELDS}  # asdict copies deep what is flat


def _messages(state: Any) -> Prompt:
    messages: Prompt = state.get("messages", ()) if isinstance(state, Mapping) else state.messages
    if not messages:
        raise UsageError("There is no message to answer: the input needs messages.")
    return messages


def _see_functions(prompt: object, key: object, check: object) -> None:
    if prompt is not None:
        checks.function("prompt", prompt, "state")
    if key is not None:
        see_key(key)
    if check is not None:
        checks.function("check", check, "state", "answer")


def _keys_of(
    state: type[Any], prompt: Callable[[Any], Prompt] | None, into: str | None, decision: str | None
) -> dict[str, Any]:
    """Return the keys of the caller's state with their types, without reducers."""
    if not isinstance(state, type):
        raise UsageError(f"state is the schema of your graph, a class, not {state!r}.")
    hints = get_type_hints(state, include_extras=True)
    if prompt is None and "messages" not in hints:
        raise UsageError(f"{state.__name__} has no messages: say with prompt= what to ask the model.")
    target = "messages" if into is None else into
    if target not in hints:
        raise UsageError(f"{state.__name__} has no key {target!r}: say with into= where the answer goes ({', '.join(hints)}).")
    if decision is not None and state is not MessagesState and decision not in hints:
        raise UsageError(f"{state.__name__} has no key {decision!r} for the decision; it has {', '.join(hints)}.")
    if taken := sorted(set(hints) & set(_Vote.__annotations__)):
        raise UsageError(f"The microstep uses the key {taken[0]!r} inside: give the one in {state.__name__} another name.")
    return {name: _bare(hint) for name, hint in hints.items()}


def _bare(hint: Any) -> Any:
    """Return the type in `hint` without a reducer; whether a key is required stays."""
    if get_origin(hint) in (Required, NotRequired):
        return hint.__origin__[_bare(get_args(hint)[0])]
    return get_args(hint)[0] if get_origin(hint) is Annotated else hint


def _schema(name: str, doc: str, hints: dict[str, Any]) -> Any:
    schema: Any = TypedDict(name, hints, total=False)  # type: ignore[misc]  # made from the caller's own schema
    schema.__doc__ = doc
    return schema


def _view_of(state: type[Any], keys: Mapping[str, Any]) -> Callable[[Mapping[str, Any]], Any]:
    """Return how the values of the channels become what the caller's functions take: their own class."""
    kind: Any = state
    if is_dataclass(state) or issubclass(state, BaseModel):
        return lambda values: kind(**{name: values[name] for name in keys if name in values})
    return lambda values: {name: values[name] for name in keys if name in values}


def _written(keys: Mapping[str, Any], into: str | None, decision: str | None) -> dict[str, Any]:
    target = "messages" if into is None else into
    return {target: keys[target]} | ({} if decision is None else {decision: dict[str, Any]})


def _update(result: Decision, into: str | None, decision: str | None) -> dict[str, Any]:
    update: dict[str, Any] = {} if decision is None else {decision: dict(result)}
    if into is not None:
        update[into] = result["answer"]
    else:
        update["messages"] = [AIMessage(result["text"])] if result["status"] == "decided" else []
    return update


def ask_person(undecided: Decision, prompt: Prompt, reading: Reader) -> Decision:
    """Return the decision of a person, who is asked through `interrupt` until the reply keeps all rules of a sample's."""
    error = stuck(undecided)
    shown = [{"role": role, "content": content} for role, content in as_pairs(prompt)]
    problem = ""
    while True:
        given = interrupt(
            {
                "question": "No candidate won. What is the right reply?",
                "problem": problem,
                "reason": error.reason,
                "prompt": shown,
                "ballot": error.ballot,
                "flags": error.flags,
                "samples": error.samples,
                "replies": error.replies,
            }
        )
        text = given if isinstance(given, str) else json.dumps(given)
        reply = judge(Sample(0, text), replace(reading, red_flags={"empty": empty}))
        if reply["flag"] is None:
            return answered(undecided, reply)
        problem = f"This reply is {reply['flag']}{': ' + reply['why'].rstrip('.') if reply['why'] else ''}."


def stuck(decision: Decision) -> Undecided:
    """Return the error for a step on which no rung could decide: the last one's ballot, the samples and red flags of all."""
    votes: list[Vote] = [*decision["tried"], decision]
    flags: dict[str, int] = {}
    for each in votes:
        for name, number in each["flags"].items():
            flags[name] = flags.get(name, 0) + number
    reason = decision["reason"]
    if decision["tried"]:
        reason = f"{reason} Tried: {', '.join(each['by'] for each in votes)}."
    return Undecided(reason, decision["ballot"], flags, sum(each["samples"] for each in votes), decision["replies"])
