"""The schemas of a microstep, made from its caller's schema, and the update that it writes.

There are three schemas, because channels that a parent and a subgraph share have traps. In: the caller's keys, without their
reducers, because the parent applies those. Out: only the keys that the microstep writes, each overwritten with just what is
new, so that a parent's reducer counts it once. Inside: both, and the votes, which never leave the microstep.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import is_dataclass
from types import UnionType
from typing import Annotated, Any, NotRequired, Required, Union, get_args, get_origin, get_type_hints

from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.messages.ai import InputTokenDetails, UsageMetadata
from langgraph.graph import MessagesState
from pydantic import BaseModel
from typing_extensions import TypedDict

from maker_graph.core.decision import Decision
from maker_graph.core.judging import Judged
from maker_graph.core.task import Prompt
from maker_graph.errors import UsageError


def of_one_question(kept: list[dict[str, Any]], drawn: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the samples of the question that was asked last: a microstep with a checkpointer of its own is asked several."""
    return drawn if kept and drawn and question_of(kept) != question_of(drawn) else kept + drawn


def question_of(samples: Sequence[Mapping[str, Any]]) -> int:
    """Return which question the samples answer: 0 for samples in a checkpoint of maker_graph 0.1.0, which do not say it."""
    asked: int = samples[-1].get("question", 0)
    return asked


class _Vote(TypedDict):
    """What a microstep knows while it votes; none of it leaves. Each sample says which question it answers, from 0."""

    vote_question: int
    vote_samples: Annotated[list[dict[str, Any]], of_one_question]
    vote_judged: list[Judged]
    vote_rounds: int
    vote_next: int


class Schemas:
    """The schemas of one microstep.

    Attributes:
        keys: the caller's keys with their types, without reducers.
        into: the key that the answer is written to; "messages" if none is named.
        decision: the key that the decision is written to, if any.
        as_message: whether the answer is written as a message.
        outside: the input schema.
        inside: the schema of the channels.
        written: the output schema.
    """

    def __init__(self, state: type[Any], prompt: Callable[[Any], Any] | None, into: str | None, decision: str | None) -> None:
        """Make the schemas of a microstep; the arguments are as for `create_microstep`.

        Raises:
            UsageError: the state is not a schema, or lacks a key.
        """
        hints = _hints_of(state, prompt, into, decision)
        self.keys = {name: _bare(hint) for name, hint in hints.items()}
        self.into = "messages" if into is None else into
        self.decision = decision
        self.as_message = into is None or _holds_messages(hints[into])
        written = {self.into: self.keys[self.into]} | ({} if decision is None else {decision: dict[str, Any]})
        self.outside = _schema(f"{state.__name__}Input", state.__doc__ or "", self.keys)
        self.written = _schema("MicrostepOutput", "What a microstep writes.", written)
        inside = {**self.keys, **get_type_hints(self.written), **get_type_hints(_Vote, include_extras=True)}
        self.inside = _schema("Microstep", "Inside a microstep.", inside)
        self._state: Any = state
        self._made = is_dataclass(state) or issubclass(state, BaseModel)

    def view(self, values: Mapping[str, Any]) -> Any:
        """Return the values of the channels as the caller's functions take them: in their own class."""
        mine = {name: values[name] for name in self.keys if name in values}
        return self._state(**mine) if self._made else mine

    def update(self, result: Decision) -> dict[str, Any]:
        """Return what a decision writes into the caller's state."""
        update: dict[str, Any] = {} if self.decision is None else {self.decision: dict(result)}
        if self.as_message:
            update[self.into] = [self._message(result)] if result["status"] == "decided" else []
        else:
            update[self.into] = result["answer"]
        return update

    def _message(self, result: Decision) -> AIMessage:
        """Return the winning reply as a message, with the tokens of the whole vote and with how it was decided."""
        about = {**about_of(result), "decision": self.decision}
        return AIMessage(result["text"], usage_metadata=usage_of(result), response_metadata={"maker_graph": about})


def about_of(result: Decision) -> dict[str, Any]:
    """Return what a message tells about a decision: which rung voted, and how the vote went."""
    votes = [result, *result["tried"]]
    return {
        "by": result["by"],
        "votes": list(result["ballot"].values()),
        "samples": sum(each["samples"] for each in votes),
        "rounds": sum(each["rounds"] for each in votes),
        "flags": result["flags"],
    }


def usage_of(result: Decision) -> UsageMetadata:
    """Return the tokens of all votes of a decision, as a message has them."""
    votes = [result, *result["tried"]]
    read, cached, written = (sum(each["usage"][name] for each in votes) for name in ("input", "cached", "output"))
    return UsageMetadata(
        input_tokens=read,
        output_tokens=written,
        total_tokens=read + written,
        input_token_details=InputTokenDetails(cache_read=cached),
    )


def messages_of(state: Any) -> Prompt:
    """Return the messages of a state, which are the prompt if there is no `prompt` function.

    Raises:
        UsageError: the state has no messages.
    """
    messages: Prompt = state.get("messages", ()) if isinstance(state, Mapping) else state.messages
    if not messages:
        raise UsageError("There is no message to answer: the input needs messages.")
    return messages


def _hints_of(state: type[Any], prompt: object, into: str | None, decision: str | None) -> dict[str, Any]:
    if not isinstance(state, type):
        raise UsageError(f"state must be the schema of your graph, which is a class; it is {state!r}.")
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
    return hints


def _holds_messages(hint: Any) -> bool:
    """Say whether a key holds a list of messages, by its reducer or by its type."""
    if get_origin(hint) in (Required, NotRequired):
        return _holds_messages(get_args(hint)[0])
    if get_origin(hint) is Annotated:
        inner, *extras = get_args(hint)
        return any("messages" in _name(each) for each in extras) or _holds_messages(inner)
    return get_origin(hint) in (list, Sequence) and all(_is_message(each) for each in get_args(hint))


def _is_message(hint: Any) -> bool:
    """Say whether a type is a message type, or a union of them, as LangChain's `AnyMessage` is."""
    if get_origin(hint) is Annotated:
        return _is_message(get_args(hint)[0])
    if get_origin(hint) in (Union, UnionType):
        return all(_is_message(each) for each in get_args(hint))
    return isinstance(hint, type) and issubclass(hint, BaseMessage)


def _name(reducer: Any) -> str:
    """Return the name of a reducer, or of the one within a channel: `add_messages`, and LangGraph's others for messages."""
    inner = getattr(reducer, "func", None) or getattr(reducer, "reducer", None) or getattr(reducer, "operator", None) or reducer
    return str(getattr(inner, "__name__", ""))


def _bare(hint: Any) -> Any:
    """Return the type in `hint` without its reducer; `Required` and `NotRequired` stay."""
    if get_origin(hint) in (Required, NotRequired):
        return hint.__origin__[_bare(get_args(hint)[0])]
    return get_args(hint)[0] if get_origin(hint) is Annotated else hint


def _schema(name: str, doc: str, hints: dict[str, Any]) -> Any:
    schema: Any = TypedDict(name, hints, total=False)  # type: ignore[misc]  # made from the caller's own schema
    schema.__doc__ = doc
    return schema
