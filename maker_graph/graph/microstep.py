"""The microstep: one voted decision as a compiled graph that any LangGraph app can take as a node.

    START -> sample (one per sample, in parallel) -> red_flag -> vote -> sample again, or END

`sample` draws, `red_flag` discards, `vote` counts and asks the stopping rule. A round draws what the leader still lacks
(`core/rules.py`), all its samples are awaited, and they are counted in the order in which they were launched.

`schemas.py` says what goes in, what comes out and what stays inside. `asked.py` says where the caller's input is kept.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, TypeAlias, get_args

from langchain_core.runnables import Runnable, RunnableConfig
from langgraph.config import get_stream_writer
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Send

from maker_graph.core import checks
from maker_graph.core.answers import reader_of, see_key
from maker_graph.core.decision import decide, next_draw, round_of
from maker_graph.core.decision import undecided as error_of
from maker_graph.core.emitting import Emit, emit_of
from maker_graph.core.judging import Reader, judge_all
from maker_graph.core.red_flags import RedFlag
from maker_graph.core.rules import StoppingRule
from maker_graph.core.schema import schema_asked
from maker_graph.core.task import Prompt, Variant
from maker_graph.core.verifying import Verification
from maker_graph.core.voting import MAX_SAMPLES, STUCK_AFTER, Auto, K, Temperature, Voting
from maker_graph.errors import UsageError
from maker_graph.graph.asked import MicrostepGraph, asked
from maker_graph.graph.direct import DirectVote
from maker_graph.graph.people import ask_person
from maker_graph.graph.runnables import ConfiguredNode
from maker_graph.graph.schemas import Schemas, messages_of, question_of
from maker_graph.graph.sends import as_dict, as_sample, indices_of, sends_of
from maker_graph.graph.variants import first_prompt, parse_for, prompt_for, variants_of
from maker_graph.models.calls import Calls
from maker_graph.models.emitting import sampler_for
from maker_graph.models.names import info_of
from maker_graph.models.rehearsing import rehearsed
from maker_graph.models.resolving import Model, resolve_models

OnUndecided: TypeAlias = Literal["raise", "return", "interrupt"]


def create_microstep(
    model: Model | Sequence[Model],
    *,
    state: type[Any] = MessagesState,
    prompt: Callable[[Any], Prompt | Awaitable[Prompt]] | None = None,
    variants: Callable[[Any], Sequence[Variant]] | None = None,
    answer: Any = None,
    key: Callable[[Any], Any] | None = None,
    check: Callable[[Any, Any], bool | Awaitable[bool]] | None = None,
    verify: Callable[[Any, Any], Verification | Awaitable[Verification]] | None = None,
    into: str | None = None,
    decision: str | None = None,
    k: int | StoppingRule = K,
    red_flags: Sequence[RedFlag] | None = None,
    max_samples: int = MAX_SAMPLES,
    stuck_after: int = STUCK_AFTER,
    temperature: Temperature | Auto = "auto",
    max_tokens: int | Auto | None = "auto",
    seed: int | None = None,
    stop: Sequence[str] = (),
    structured: bool = False,
    emit: Emit | str | bool | None = None,
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
        model: a chat model, a `provider:model` string, or several of these. With several, each sample asks one of them, drawn
            by the number of the sample.
        state: the schema of the graph that the node is put into: a TypedDict, a dataclass or a pydantic model.
        prompt: a pure function from the state to what the model sees. Default: the state's `messages`.
        variants: a function from the state to equivalent questions, each with a function that reads its replies. It takes the
            place of `prompt` and `answer`. Each sample is asked one of the questions, drawn by the number of the sample.
        answer: a type, or a function from the text of a reply to the answer. A reply that does not fit the type, or on which
            the function raises, is malformed. Default: the stripped text.

            A type is read strictly, as JSON: `bool` takes `true` and `false`, and `int` takes `3` but not `"3"`. A list, a
            pydantic model, a dataclass, a TypedDict or a NamedTuple takes what its items or fields take. A text may also
            stand without quotes: `yes` for `Literal["yes", "no"]`, `billing` for an Enum of texts, `2026-01-31` for a date,
            `10.50` for a Decimal. `str` takes the text as it is. Sets, bytes and secrets cannot be compared, so they are
            refused.
        key: a function from an answer to the part of it that is voted on. Default: the whole answer. It gets an instance of the
            type, or the plain JSON that the function returned. Equal values are one vote: for example the Decimals 10.50 and
            10.5, or an accented letter that is written as one character and as two.
        check: a function from state and answer to True, or to False if the answer breaks a rule of the domain. It may also
            raise `Invalid("why")`. The sample is then flagged as invalid. It gets the answer in the same form as `key`.
        verify: a function from state and answer to `Valid("what it rests on")` or `Unknown("why")`. It raises `Invalid("why")`
            if the answer is not valid. The first sample for which it returns `Valid(..., conclusive=True)` decides alone,
            because it is proved. A vote with a verifier begins with one sample.
        into: the key of the state that gets the answer, as plain JSON. Default: an AIMessage appended to `messages`.
        decision: the key of the state that gets the full decision, as plain JSON. Default: none.
        k: the lead that decides, or a stopping rule: `AheadBy(k, within=m)`, `Confirm(by, of)`, `FirstTo(k)`, `Majority(n)`.
        red_flags: the red flags, each of which discards raw samples. Default: truncated, too_long(max_tokens), refused,
            tool_calls, ended, no_text and empty. Leave out tool_calls if it does not matter that a tool call next to a text is
            lost.
        max_samples: a vote that needs more samples than this is undecided.
        stuck_after: a vote that ends with this many red flags in a row is undecided too.
        temperature: the temperature of the first sample and of the others, or one number for all; None leaves it to the model.
            "auto" is the temperature with which a chat model was made. For `tiny` it is 1. Otherwise it is (0, .1) as in the
            paper, .7 under `AheadBy(k, within=m)`, and (.1, .7) under `Confirm`.
        max_tokens: the output cap of each sample; None leaves it to the model. "auto" is the cap with which a chat model was
            made, or with which a simulated model was measured. Otherwise it is 750 as in the paper.
        seed: the number from which each sample's own seed is made; None sends no seed.
        stop: texts at which a reply ends. For example, a base model needs the end of the line here, or it goes on with the next
            line. Not all models accept them.
        structured: whether the JSON schema of `answer`, which must be a type, is sent to the provider, so that the model keeps
            to it. The reply is read just as strictly. It works with ChatOpenAI and with servers that speak its API.
        emit: whether a second, short call writes the answer in its form, so that the first call can reason freely. `stop` and
            `structured` then apply to the second call. True uses the same model, a name uses another one, and `Emit(...)` sets
            more. The two calls are one sample, and a red flag on either discards it.
        on_undecided: "raise" `Undecided`; "return" None as the answer (the decision says why); or "interrupt" and ask a
            person, whose reply (`Command(resume="...")`) is read like a sample's.
        calls: how requests are made: the account of what is spent, a gate that is shared with other graphs, the patience with
            a provider, a time-out.
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
        stop=stop,
        structured=structured,
        emit=emit_of(emit),
        red_flags=red_flags,
    )
    if variants is not None and prompt is not None:
        raise UsageError("variants take the place of prompt: leave it out.")
    asking = Asking(
        state=state,
        prompt=prompt,
        answer=answer,
        key=key,
        check=check,
        verify=verify,
        into=into,
        decision=decision,
        variants=variants,
    )
    return build_microstep(model, voting, asking, on_undecided=on_undecided, calls=calls, name=name)


@dataclass(frozen=True, slots=True)
class Asking:
    """What a microstep asks, how it reads replies, and where the answer goes; each as in `create_microstep`."""

    state: type[Any] = MessagesState
    prompt: Callable[[Any], Prompt | Awaitable[Prompt]] | None = None
    answer: Any = None
    key: Callable[[Any], Any] | None = None
    check: Callable[[Any, Any], bool | Awaitable[bool]] | None = None
    verify: Callable[[Any, Any], Verification | Awaitable[Verification]] | None = None
    into: str | None = None
    decision: str | None = None
    variants: Callable[[Any], Sequence[Variant]] | None = None
    parse: Callable[[str, Any], Any] | None = None
    """A function from the text of a reply and the state to the answer; it takes the place of `answer`."""
    schema: Any = None
    """The type that `parse` reads from JSON, if it is known."""
    rehearse: Callable[[Any], Any] | None = None
    """A function from the state to what a simulated model may reply; see `rehearsing.py`."""


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
    """Return one voted decision as a compiled graph; `by` is the rung that its decision names.

    Raises:
        UsageError: a setting is wrong; the text says which, and what to do.
    """
    checks.one_of("on_undecided", on_undecided, get_args(OnUndecided))
    voting = info_of(model).suited(voting)
    schemas = Schemas(asking.state, asking.prompt or asking.variants, asking.into, asking.decision)
    models = resolve_models(model, seed=voting.seed)
    question = _Question(asking, schemas, voting, models, by)
    verifies = asking.verify is not None
    begin = next_draw([], voting, verifies=verifies)
    if asking.variants is not None:  # the samples of a round are not asked the same
        calls = Calls(**{**(calls or {}), "batch": False})
    sampler = sampler_for(
        models,
        voting,
        schema=schema_asked(asking.answer, asking.schema, parsed=asking.parse is not None) if voting.structured else None,
        calls=calls,
        salt="" if by == "base" else by,
    )

    def first_round(values: dict[str, Any], config: RunnableConfig) -> list[Send]:
        return sends_of(sampler, values, question.sent(values, config), begin, first=True)

    async def afirst_round(values: dict[str, Any], config: RunnableConfig) -> list[Send]:
        return sends_of(sampler, values, await question.asent(values, config), begin, first=True)

    def sample(sent: dict[str, Any], config: RunnableConfig) -> dict[str, Any]:
        prompt = prompt_for(question.of(sent, config), sent["index"])
        drawn = sampler.draw_all(prompt, indices_of(sent), round=sent["round"])
        return {"vote_samples": [as_dict(each, sent["question"]) for each in drawn]}

    async def asample(sent: dict[str, Any], config: RunnableConfig) -> dict[str, Any]:
        prompt = prompt_for(await question.aof(sent, config), sent["index"])
        drawn = await sampler.adraw_all(prompt, indices_of(sent), round=sent["round"])
        return {"vote_samples": [as_dict(each, sent["question"]) for each in drawn]}

    def red_flag(
        values: dict[str, Any], config: RunnableConfig, loop: asyncio.AbstractEventLoop | None = None
    ) -> dict[str, Any]:
        asked = question_of(values["vote_samples"])
        begun = asked == (values.get("vote_question") or 0)
        judged = values.get("vote_judged") or [] if begun else []
        samples = sorted(map(as_sample, values["vote_samples"]), key=lambda each: each.index)
        earlier, drawn = samples[: len(judged)], samples[len(judged) :]
        ids_differ = sampler.look(drawn, earlier)
        reader = question.reader(values, config, loop)
        return {
            **({} if begun else {"vote_question": asked, "vote_rounds": 0}),
            **({} if judged else question.dropped(config)),
            **({"vote_next": 0} if values.get("vote_next") else {}),
            "vote_judged": judged + judge_all(drawn, reader, earlier, judged, ids_differ=ids_differ),
        }

    def vote(values: dict[str, Any], config: RunnableConfig, loop: asyncio.AbstractEventLoop | None = None) -> dict[str, Any]:
        judged = values["vote_judged"]
        rounds = (values.get("vote_rounds") or 0) + 1
        tell = get_stream_writer()
        tell({"round": round_of(judged, rounds, name)})
        more = next_draw(judged, voting, verifies=verifies)
        if more:
            return {"vote_rounds": rounds, "vote_next": more}
        result = decide(judged, voting, rounds, by)
        if result["status"] == "undecided":
            if on_undecided == "raise":
                raise error_of(result)
            if on_undecided == "interrupt":
                reader = question.reader(values, config, loop)
                result = ask_person(result, question.again(values, config, loop), reader, judged)
        tell({"decision": result})
        return {"vote_rounds": rounds, "vote_next": 0, **schemas.update(result)}

    def next_round_or_end(values: dict[str, Any], config: RunnableConfig) -> list[Send] | str:
        return sends_of(sampler, values, question.sent(values, config), values["vote_next"]) if values["vote_next"] else END

    async def anext_round_or_end(values: dict[str, Any], config: RunnableConfig) -> list[Send] | str:
        return (
            sends_of(sampler, values, await question.asent(values, config), values["vote_next"]) if values["vote_next"] else END
        )

    graph = (
        StateGraph(schemas.inside, input_schema=schemas.outside, output_schema=schemas.written)
        .add_node("sample", ConfiguredNode(sample, asample))
        .add_node("red_flag", ConfiguredNode(red_flag, question.in_a_thread(red_flag)))
        .add_node("vote", ConfiguredNode(vote, question.in_a_thread(vote)))
        .add_conditional_edges(START, ConfiguredNode(first_round, afirst_round), ["sample"])
        .add_edge("sample", "red_flag")
        .add_edge("red_flag", "vote")
        .add_conditional_edges("vote", ConfiguredNode(next_round_or_end, anext_round_or_end), ["sample", END])
        .compile(name=name)
    )
    # A round of at least one sample is three supersteps.
    direct = DirectVote(sampler, voting, question.directly, partial(question.reader, config={}, loop=None), by)
    return MicrostepGraph.of(graph, supersteps=3 * voting.max_samples + 1, keys=schemas.keys, direct=direct)


class _Question:
    """What one microstep asks and how it reads the replies; `asked.py` says where the caller's values are."""

    def __init__(self, asking: Asking, schemas: Schemas, voting: Voting, models: Sequence[Runnable[Any, Any]], by: str) -> None:
        """Make a question from the caller's functions.

        Raises:
            UsageError: one of them is not a function, or takes other arguments.
        """
        if asking.prompt is not None:
            checks.function("prompt", asking.prompt, "state", awaited=True)
        if asking.variants is not None:
            checks.function("variants", asking.variants, "state")
        if asking.key is not None:
            see_key(asking.key)
        for name in ("check", "verify"):
            if (function := getattr(asking, name)) is not None:
                checks.function(name, function, "state", "answer", awaited=True)
        self._schemas = schemas
        self._variants = asking.variants
        self._draws = (voting.seed, by)
        ask = asking.prompt or messages_of if asking.variants is None else self._all_of_them
        self._prompt: Callable[[Any], Any] = rehearsed(ask, asking.rehearse, models)
        self._check: Callable[[Any, Any], Any] | None = asking.check
        self._verify: Callable[[Any, Any], Any] | None = asking.verify
        self._awaited = [name for name in ("prompt", "check", "verify") if checks.awaits(getattr(asking, name))]
        self._key = asking.key
        self._read = reader_of(asking.answer)
        self._parse = asking.parse
        self._flags = voting.flags

    def sent(self, values: Mapping[str, Any], config: RunnableConfig) -> dict[str, Any]:
        """Return what is sent to a sample: the prompt, if the sample cannot find it in its config."""
        self._see_blocking()
        known = asked(config)
        if known is None:
            return {"prompt": self._prompt(self._schemas.view(values))}
        known.prompt = known.prompt or self._prompt(self._schemas.view(known.values))
        return {}

    def directly(self, values: Mapping[str, Any]) -> Prompt:
        """Return what is asked outside a graph, where the prompt function cannot be awaited."""
        prompt: Prompt = self._prompt(self._schemas.view(values))
        return prompt

    def _all_of_them(self, state: Any) -> Any:
        """Return the prompts of all variants."""
        assert self._variants is not None  # noqa: S101  else the prompt is asked
        return variants_of(self._variants, state, *self._draws)[0]

    async def asent(self, values: Mapping[str, Any], config: RunnableConfig) -> dict[str, Any]:
        """Return the same as `sent`; a prompt function that is a coroutine function is awaited."""
        known = asked(config)
        if known is None:
            return {"prompt": await self._made(values)}
        known.prompt = known.prompt or await self._made(known.values)
        return {}

    def of(self, sent: Mapping[str, Any], config: RunnableConfig) -> Prompt:
        """Return the prompt of a sample to which `sent` was sent; after a crash it may be the first that needs it."""
        if (known := asked(config)) is None:
            prompt: Prompt = sent["prompt"]
            return prompt
        self._see_blocking()
        known.prompt = known.prompt or self._prompt(self._schemas.view(known.values))
        return known.prompt

    async def aof(self, sent: Mapping[str, Any], config: RunnableConfig) -> Prompt:
        """Return the same as `of`."""
        if (known := asked(config)) is None:
            prompt: Prompt = sent["prompt"]
            return prompt
        known.prompt = known.prompt or await self._made(known.values)
        return known.prompt

    def again(self, values: Mapping[str, Any], config: RunnableConfig, loop: asyncio.AbstractEventLoop | None) -> Prompt:
        """Return what a person is shown as the question; a coroutine function runs on `loop`."""
        known = asked(config)
        if known is not None and known.prompt is not None:
            return first_prompt(known.prompt)
        values = values if known is None else known.values
        if "prompt" in self._awaited and loop is not None:
            prompt: Prompt = asyncio.run_coroutine_threadsafe(self._made(values), loop).result()
            return prompt
        return first_prompt(self._prompt(self._schemas.view(values)))

    def reader(self, values: Mapping[str, Any], config: RunnableConfig, loop: asyncio.AbstractEventLoop | None) -> Reader:
        """Return how replies to this question are read; coroutine functions run on `loop`, called from another thread."""
        known, view = asked(config), self._schemas.view
        values = values if known is None else known.values
        parse = self._read.parse if self._parse is None else _with_state(self._parse, view(values))
        parse_of = None if self._variants is None else parse_for(*variants_of(self._variants, view(values), *self._draws))

        def bound(name: str, function: Callable[[Any, Any], Any] | None) -> Callable[[Any], Any] | None:
            if function is None:
                return None
            if loop is None or name not in self._awaited:
                return lambda answer: function(view(values), answer)
            return lambda answer: asyncio.run_coroutine_threadsafe(function(view(values), answer), loop).result()

        check, verify = bound("check", self._check), bound("verify", self._verify)
        return Reader(parse, self._key, check, self._flags, self._read.instances, parse_of, verify)

    def dropped(self, config: RunnableConfig) -> dict[str, Any]:
        """Return the update that drops the caller's values after the first samples, if they are kept elsewhere."""
        known = asked(config)
        return dict.fromkeys(self._schemas.keys) if known is not None and known.saved else {}

    def in_a_thread(self, node: Callable[..., Any]) -> Callable[[Any, RunnableConfig], Awaitable[Any]] | None:
        """Return `node` wrapped to run in a thread, if the caller has coroutine functions or a verifier.

        The coroutine functions run on the loop meanwhile. A verifier may take seconds, during which other votes go on.
        """
        if not self._awaited and self._verify is None:
            return None
        return lambda values, config: asyncio.to_thread(node, values, config, asyncio.get_running_loop())

    async def _made(self, values: Mapping[str, Any]) -> Any:
        made = self._prompt(self._schemas.view(values))
        return await made if "prompt" in self._awaited else made

    def _see_blocking(self) -> None:
        """Make sure that nothing has to be awaited, under `invoke`.

        Raises:
            UsageError: a function has to be awaited.
        """
        if self._awaited:
            raise UsageError(f"{self._awaited[0]} is a coroutine function: call the graph with ainvoke or astream.")


def _with_state(parse: Callable[[str, Any], Any], state: Any) -> Callable[[str], Any]:
    return lambda text: parse(text, state)
