"""The middleware: each model call of an agent becomes a vote, taken by the same microstep that other graphs use as a node."""

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, cast

from langchain.agents.middleware import AgentMiddleware, ModelRequest, ModelResponse
from langchain_core.language_models import BaseChatModel
from langgraph.config import get_stream_writer
from langgraph.graph.state import CompiledStateGraph
from typing_extensions import TypedDict

from maker_graph.agents.answers import Reading, Votes, message_of, parse, rebuilt
from maker_graph.agents.commands import put
from maker_graph.agents.journal import Journal
from maker_graph.agents.model import AsyncHandler, Handler, HandlerModel, Kept, asked_by
from maker_graph.agents.rule import AheadByTool
from maker_graph.core import checks
from maker_graph.core.decision import Decision, undecided, vote_of
from maker_graph.core.red_flags import RedFlag, empty, ended, refused, truncated
from maker_graph.core.rules import StoppingRule
from maker_graph.core.voting import MAX_SAMPLES, STUCK_AFTER, Auto, K, Temperature, Voting
from maker_graph.errors import UsageError
from maker_graph.graph.microstep import Asking, build_microstep
from maker_graph.graph.schemas import about_of, usage_of
from maker_graph.models.calls import Calls
from maker_graph.models.copies import Copies
from maker_graph.models.gate import Gate
from maker_graph.models.names import info_of
from maker_graph.models.resolving import Model, resolve_models

FLAGS: tuple[RedFlag, ...] = (truncated, refused, ended, empty)
"""The red flags of a response, before its tool calls are read."""

LOOPS = 3
"""A call that an agent made this often with the same arguments, since a person last spoke, is not made again."""


class _Vote(TypedDict, total=False):
    """The state of the microstep."""

    messages: list[Any]
    answer: Any
    decision: Any


class VotingMiddleware(AgentMiddleware[Any, Any, Any]):
    """Votes on what an agent does next: samples of the model's whole response are drawn, and the agent acts on the winner.

    The vote is that of `create_microstep`: the same rule, red flags, rounds in parallel, budget, seeds and decisions on the
    custom stream. A candidate is a set of tool calls with their arguments. A reply in words is a candidate too: all texts are
    one candidate, unless `text_key` says which part of a text is voted on.

    Middleware before this one in the list sees one model call. Middleware after it runs once for each sample.

        agent = create_agent(model, tools, middleware=[VotingMiddleware(k=3, only=["refund"])])
    """

    def __init__(
        self,
        k: int | Mapping[str, int] | StoppingRule = K,
        *,
        within: int | None = None,
        only: Sequence[str] | None = None,
        free: Mapping[str, Sequence[str]] | None = None,
        normalise: Mapping[str, Callable[[dict[str, Any]], Any]] | None = None,
        text_key: Callable[[str], Any] | None = None,
        loops: int | None = LOOPS,
        temperature: Temperature | Auto = "auto",
        max_tokens: int | None = None,
        seed: int | None = None,
        max_samples: int = MAX_SAMPLES,
        stuck_after: int = STUCK_AFTER,
        red_flags: Sequence[RedFlag] = FLAGS,
        on_undecided: Literal["raise", "interrupt"] = "raise",
        escalate: Model | None = None,
        calls: Calls | None = None,
        journal: str | Path | None = None,
        name: str = "vote",
    ) -> None:
        """Make the middleware.

        Args:
            k: the lead that decides, a mapping from tools to leads, or any stopping rule. In a mapping, `"text"` is a reply in
                words, and tools that are not named have a lead of 3. Here and below, a structured response goes by the name of
                its schema.
            within: the most votes. A decision that nobody can win within them is undecided, and `passed`.
            only: tools whose calls are worth a vote. A reply that calls none of them is taken from a single sample; a reply
                that calls one is the first of several votes.
            free: tool -> arguments that are not compared, such as the body of a message.
            normalise: tool -> a function from the arguments, as the tool will see them, to the value that is compared.
            text_key: a function from the text of a reply without a tool call to the value that is voted on. Default: all texts
                are one candidate, and the first of them is the reply.
            loops: a call that was made this often with the same arguments, since a person last spoke, is discarded; None is no
                limit.
            temperature: the temperature of the first sample and of the others, or one number for all; as in
                `create_microstep`.
            max_tokens: the output cap of each sample; None leaves it to the model.
            seed: the number from which each sample's own seed is made; None sends none.
            max_samples: a vote that needs more samples is undecided.
            stuck_after: a vote that ends with this many red flags in a row is undecided too.
            red_flags: the red flags, each of which discards raw samples. Samples are also discarded if they call a tool that
                does not exist, have arguments that do not fit, or cannot be read.
            on_undecided: "raise" `Undecided`; or "interrupt" and ask a person, who is shown the ballot and replies
                (`Command(resume=...)`) with one of its candidates, with `{"tool_calls": [{"name": ..., "args": {...}}]}`, with
                `{"structured": {...}}`, or with a text. Like every interrupt, it needs a checkpointer.
            escalate: a stronger model, which votes in a ballot of its own if the agent's model is undecided.
            calls: how requests are made, as in `create_microstep`: `{"meter": Budget(...)}` counts each sample.
            journal: a file to which each decision is appended before anything acts on it, for `maker-graph report FILE`.
            name: the name of the vote in traces, and of the middleware; two in one agent need two names.

        Raises:
            UsageError: a setting is wrong; the text says which.
        """
        super().__init__()
        checks.one_of("on_undecided", on_undecided, ("raise", "interrupt"))
        checks.texts("name", (name,))
        self._reading = Reading(free or {}, normalise or {}, text_key, loops)
        self._voting = Voting(
            k=_rule(k, within, only),
            temperature=temperature,
            max_tokens=max_tokens,
            max_samples=max_samples,
            stuck_after=stuck_after,
            seed=seed,
            red_flags=red_flags,
        )
        self._ask = on_undecided == "interrupt"
        self._journal = None if journal is None else Journal(journal)
        self._escalate = None if escalate is None else _chat_model(escalate)
        self._calls = Calls(**{"gate": Gate(), "copies": Copies(), **(calls or {})})
        self._name = name
        self._misspelt = [
            *dict.fromkeys((*(only or ()), *(k if isinstance(k, Mapping) else ()), *(free or ()), *(normalise or ())))
        ]

    @property
    def name(self) -> str:
        """The name of the middleware, which its votes have in traces too."""
        return self._name

    def wrap_model_call(self, request: ModelRequest[Any], handler: Handler) -> ModelResponse[Any]:
        """Return the response that the samples of a model call agree on.

        Raises:
            Undecided: no answer was far enough ahead.
        """
        tried: list[Decision] = []
        while True:
            vote, kept = self._vote(request, len(tried), handler=handler)
            tried.append(vote.invoke(_asked(request))["decision"])
            if self._is_last(tried):
                return self._response(tried, kept, request, handler)

    async def awrap_model_call(self, request: ModelRequest[Any], handler: AsyncHandler) -> ModelResponse[Any]:
        """Return the response that the samples of a model call agree on; see `wrap_model_call`."""
        tried: list[Decision] = []
        while True:
            vote, kept = self._vote(request, len(tried), ahandler=handler)
            tried.append((await vote.ainvoke(_asked(request)))["decision"])
            if self._is_last(tried):
                return self._response(tried, kept, request, handler)

    def _is_last(self, tried: Sequence[Decision]) -> bool:
        return tried[-1]["status"] == "decided" or self._escalate is None or len(tried) > 1

    def _tell_misspelt(self, votes: Votes) -> None:
        """Warn once of names in the settings that are no tool of the agent: the tool that was meant has no vote."""
        unknown, self._misspelt = votes.unknown(self._misspelt), []
        if unknown:
            logging.getLogger("maker_graph").warning(
                "The settings of the vote name %s, but the agent's first request has no such tool: check the spelling.",
                ", ".join(map(repr, unknown)),
            )

    def _vote(
        self, request: ModelRequest[Any], number: int, **handlers: Any
    ) -> tuple[CompiledStateGraph[Any, Any, Any, Any], dict[str, Kept]]:
        """Return the microstep for one request, and where its responses are kept; vote `number` 1 is of the stronger model."""
        if number and self._escalate is not None:
            request = request.override(model=self._escalate)
        kept: dict[str, Kept] = {}
        votes = Votes(self._reading, request)
        self._tell_misspelt(votes)
        asking = Asking(
            state=_Vote,
            prompt=lambda state: state["messages"],
            answer=parse,
            key=votes.key,
            check=lambda _, answer: votes.check(answer),
            into="answer",
            decision="decision",
        )
        last = self._escalate is None or number > 0
        microstep = build_microstep(
            HandlerModel(request=request, kept=kept, **handlers),
            info_of(asked_by(request).links[0].model).suited(self._voting),
            asking,
            on_undecided="interrupt" if self._ask and last else "return",
            calls=self._calls,
            name=f"{self._name}_again" if number else self._name,
            by="model" if number else "base",
        )
        return microstep, kept

    def _response(
        self, tried: Sequence[Decision], kept: Mapping[str, Kept], request: ModelRequest[Any], handler: Callable[..., Any]
    ) -> ModelResponse[Any]:
        """Return the response that won, with the tokens of all samples and how it was decided, and write it to the stream.

        Raises:
            Undecided: no response won.
        """
        decision: Decision = {**tried[-1], "tried": [*map(vote_of, tried[:-1]), *tried[-1]["tried"]]}
        if self._journal is not None:
            self._journal.write(self._name, decision)
        get_stream_writer()({"decision": decision})
        if decision["status"] != "decided":
            raise undecided(decision)
        winner = kept.get(decision["text"])
        if winner is not None:
            response = winner.response
            put(handler, winner.commands)
        else:
            response = rebuilt(cast("dict[str, Any]", decision["answer"]), decision["text"], request)
        said = message_of(response)
        if said is None:
            return response
        about = {**about_of(decision), "ballot": _ballot(decision)}
        told = said.model_copy(
            update={
                "usage_metadata": usage_of(decision),
                "response_metadata": {**said.response_metadata, "maker_graph": about},
            }
        )
        return ModelResponse([told if each is said else each for each in response.result], response.structured_response)


def _chat_model(model: Model) -> BaseChatModel:
    """Return the chat model that `model` stands for.

    Raises:
        UsageError: it is another runnable.
    """
    (found,) = resolve_models(model, seed=None)
    if not isinstance(found, BaseChatModel):
        raise UsageError(
            f"escalate is a chat model or provider:model, because tools are bound to it, not {type(found).__name__}."
        )
    return found


def _rule(k: int | Mapping[str, int] | StoppingRule, within: int | None, only: Sequence[str] | None) -> StoppingRule:
    """Return the rule that the settings stand for.

    Raises:
        UsageError: they do not go together.
    """
    if callable(k):
        if only is not None or within is not None:
            raise UsageError("A stopping rule says all of k, within and only: leave those out.")
        return k
    leads = dict(k) if isinstance(k, Mapping) else {}
    others = K if isinstance(k, Mapping) else checks.whole("k", k)
    if only is None:
        return AheadByTool(leads, others, within)
    named = checks.texts("only", only)
    if not named:
        raise UsageError("only names no tool, so nothing would be voted on: name one, or leave only out.")
    if unknown := [name for name in leads if name not in named]:
        raise UsageError(f"k has a lead for {unknown[0]}, which only= does not name: name it there too.")
    return AheadByTool({name: leads.get(name, others) for name in named}, 1, within)


def _asked(request: ModelRequest[Any]) -> _Vote:
    system = [] if request.system_message is None else [request.system_message]
    return {"messages": [*system, *request.messages]}


def _ballot(decision: Decision) -> dict[str, int]:
    """Return the last ballot of models, because the ballot of a person's decision is empty."""
    return decision["ballot"] or (decision["tried"][-1]["ballot"] if decision["tried"] else {})
