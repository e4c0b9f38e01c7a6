"""From a sample to a vote: read it, check its answer by the rules, ask the verifier, and give it a red flag or a candidate.

A sample is discarded for the first thing that speaks against it: it is a copy of an earlier sample, the raw reply shows a red
flag (`red_flags.py`), it cannot be read, or `check` or the verifier calls its answer invalid. The verifier comes last, because
it may take seconds. It is asked once about each answer of a vote, and never about an answer that is discarded anyway.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, NotRequired

from typing_extensions import TypedDict

from maker_graph.core.answers import candidate_of
from maker_graph.core.canonical import JSON, MAX_CHARACTERS, MAX_DEPTH, canonical, copied, plain
from maker_graph.core.characters import visible
from maker_graph.core.checks import broken_rule
from maker_graph.core.copies import copies
from maker_graph.core.red_flags import RedFlag, Sample, explained, raised
from maker_graph.core.verifying import Standing, Unknown, standing_of, verification_of
from maker_graph.errors import Incomparable, Invalid

MOST_SAID = 300
"""How many characters are kept of what a parser, a check or a verifier says."""


class Usage(TypedDict):
    """The tokens of all samples of a microstep, those with a red flag included.

    If one request brings several samples, its prompt counts once.

    Attributes:
        input: tokens of the prompts, cached ones included.
        cached: tokens of the prompts that the provider had in its cache.
        output: tokens of the replies, hidden reasoning included.
    """

    input: int
    cached: int
    output: int


class Judged(TypedDict):
    """A sample after the red flags: a vote for `candidate` if `flag` is None, discarded otherwise.

    `candidate` is empty if the reply could not be read. A discarded sample may have a candidate, which is never counted. `why`
    explains a flag that ships, in a clause.

    `standing` is what the verifier says of the answer, and `evidence` is what that rests on. Both are left out if there is no
    verifier. `call` belongs to samples of two calls, see `Sample`.
    """

    index: int
    text: str
    flag: str | None
    why: str
    candidate: str
    answer: JSON
    usage: Usage
    lost: int
    fallback: NotRequired[bool]
    call: NotRequired[Literal["first", "second"]]
    standing: NotRequired[Standing]
    evidence: NotRequired[str]


@dataclass(frozen=True, slots=True)
class Reader:
    """How replies become votes.

    Attributes:
        parse: returns the answer in a text. If it raises anything, the sample is malformed.
        key: returns the part of an answer that is voted on; None for the whole answer. If it raises anything, the sample is
            malformed.
        check: says whether the answer keeps the rules of the task, or raises `Invalid`; None if there are no rules.
        red_flags: name -> predicate over the raw sample, tried in order.
        parse_of: returns the `parse` for the number of a sample, if samples are asked different questions.
        instances: whether `key`, `check` and `verify` get what `parse` made; else they get a copy of its plain JSON, as the
            state will hold it.
        verify: says more about an answer than `check`: it returns `Valid` or `Unknown`, or raises `Invalid`. It is asked only
            about samples without another flag.
    """

    parse: Callable[[str], Any]
    key: Callable[[Any], object] | None
    check: Callable[[Any], bool] | None
    red_flags: Mapping[str, RedFlag]
    instances: bool = False
    parse_of: Callable[[int], Callable[[str], Any]] | None = None
    verify: Callable[[Any], object] | None = None


class _Read(NamedTuple):
    """The answer in a reply, and the flag for which it is discarded; `seen` is the answer as the caller's functions get it."""

    flag: str | None
    why: str
    candidate: str
    answer: JSON
    seen: Any = None


_GARBLED = _Read("malformed", "control characters or lone surrogates in the reply", "", None)
_NOTES = _Read("malformed", "notes in the place of an answer", "", None)
_TOO_LONG = _Read("malformed", f"a reply of more than {MAX_CHARACTERS:,} characters", "", None)


def judge_all(
    samples: Sequence[Sample],
    reading: Reader,
    earlier: Sequence[Sample] = (),
    judged: Sequence[Judged] = (),
    *,
    ids_differ: bool = False,
) -> list[Judged]:
    """Return each of the samples as `judge` returns it. Replies with the same text are read once.

    Args:
        samples: new samples of one vote, in the order of launch.
        reading: how replies become votes.
        earlier: the samples of the same vote that came before. A copy of one of them is no vote.
        judged: the results for `earlier`. The verifier is not asked about their answers again.
        ids_differ: whether the server is known to give different replies different ids, as in `copies`.
    """
    known: dict[tuple[object, str], _Read] = {}
    verifier = None if reading.verify is None else _Verifier(reading.verify, judged)
    repeated = copies((*earlier, *samples), ids_differ=ids_differ)
    found = []
    for sample in samples:
        if sample.garbled or sample.call == "first":
            found.append(_unread(sample, "copy" if sample.index in repeated else None, reading))
            continue
        parse = reading.parse if reading.parse_of is None else reading.parse_of(sample.index)
        if (parse, sample.text) not in known:
            known[parse, sample.text] = _read(sample.text, parse, reading)
        read = known[parse, sample.text]
        if read is _TOO_LONG:
            flag = read.flag
        elif sample.index in repeated:
            flag = "copy"
        else:
            flag = raised(reading.red_flags, sample) or read.flag
        vote = _judged(sample, read, flag)
        found.append(vote if verifier is None or flag is not None else verifier(vote, read))
    return found


def _unread(sample: Sample, flag: str | None, reading: Reader) -> Judged:
    """Return a sample that is discarded unread: its text is garbled, or it holds only the notes of a flagged first call."""
    if sample.garbled:
        return _judged(sample, _GARBLED, "malformed")
    if len(sample.text) > MAX_CHARACTERS:
        return _judged(sample, _TOO_LONG, "malformed")
    return _judged(sample, _NOTES, flag or raised(reading.red_flags, sample) or "malformed")


def judge(sample: Sample, reading: Reader) -> Judged:
    """Return the sample with its candidate, and with the red flag for which it is discarded, if any.

    A garbled or overlong reply is always malformed, and no function of the task or the caller sees it. The message of a parser
    may quote the reply, so its unseen characters are escaped and it is cut short.
    """
    return judge_all([sample], reading)[0]


def _judged(sample: Sample, read: _Read, flag: str | None) -> Judged:
    first = sample.reasoned
    why = read.why if flag == read.flag else _why(explained(flag or "", sample))
    if sample.call and flag not in {None, "invalid"}:  # an invalid answer is wrong, whoever wrote it down
        why = f"in the {sample.call} call{': ' * bool(why)}{why}"
    judged = Judged(
        index=sample.index,
        text=visible(sample.text),
        flag=flag,
        why=why,
        candidate=read.candidate,
        answer=read.answer,
        usage=Usage(
            input=sample.input_tokens + (first["input"] if first else 0),
            cached=sample.cached_tokens + (first["cached"] if first else 0),
            output=sample.output_tokens + (first["output"] if first else 0),
        ),
        lost=sample.lost,
    )
    if sample.call:
        judged["call"] = sample.call
    if sample.fallback:
        judged["fallback"] = True
    return judged


class _Verifier:
    """Asks a verifier about each answer of a vote once."""

    def __init__(self, verify: Callable[[Any], object], judged: Sequence[Judged]) -> None:
        self._verify = verify
        self._known = {_whole(each): _said(each) for each in judged if "standing" in each or each["flag"] == "invalid"}

    def __call__(self, vote: Judged, read: _Read) -> Judged:
        """Return a vote with what the verifier says of it; it is discarded if its answer is invalid."""
        if (answer := _whole(vote)) not in self._known:
            self._known[answer] = _said(self._asked(vote, read.seen))
        said: Any = self._known[answer]
        return {**vote, **said}

    def _asked(self, vote: Judged, seen: Any) -> Judged:
        found = verification_of(self._verify, seen)
        if isinstance(found, str):
            return {**vote, "flag": "invalid", "why": _why(found)}
        evidence = _why(found.why if isinstance(found, Unknown) else found.evidence)
        return {**vote, "standing": standing_of(found), "evidence": evidence}


def _whole(judged: Judged) -> tuple[str, str]:
    """Return the candidate and the answer of a reply, because one candidate may stand for several answers."""
    return judged["candidate"], canonical(judged["answer"], own=True)


def _said(judged: Judged) -> dict[str, Any]:
    """Return what a verifier said of an answer, as it stands in a judged sample."""
    names = ("flag", "why") if judged["flag"] is not None else ("standing", "evidence")
    return {name: judged[name] for name in names}  # type: ignore[literal-required]  # its own names


def _read(text: str, parse: Callable[[str], Any], reading: Reader) -> _Read:
    room = 8  # states, entries of the journal and digests add some levels of nesting around an answer
    if len(text) > MAX_CHARACTERS:
        return _TOO_LONG
    what = "An answer"
    try:
        value = voted = parse(text)
        answer = plain(value, depth=MAX_DEPTH - room)
        if reading.key is not None:
            what = "What key returned"
            voted = reading.key(_seen(value, answer, reading))
        candidate = candidate_of(voted, depth=MAX_DEPTH - room)
    except Incomparable as error:  # a fault of the function, so every further reply would be paid for in vain
        raise Incomparable(f"{what} cannot be voted on: {error}.") from error
    except Invalid as error:  # a parser that reads by rules
        return _Read("invalid", _why(str(error)), "", None)
    except Exception as error:  # noqa: BLE001  a parser may fail in any way on a model's text
        return _Read("malformed", _why(f"{type(error).__name__}: {error}"), "", None)
    broken = None if reading.check is None else broken_rule(reading.check, _seen(value, answer, reading))
    if broken is not None:
        return _Read("invalid", _why(broken), candidate, answer)
    return _Read(None, "", candidate, answer, None if reading.verify is None else _seen(value, answer, reading))


def _seen(value: Any, answer: JSON, reading: Reader) -> Any:
    """Return the answer as the caller's functions get it, so that they cannot change what is kept."""
    return value if reading.instances else copied(answer)


def _why(text: str) -> str:
    r"""Return what a function said, cut short and in a form that an entry of the journal can hold.

    Unseen characters are escaped again after the cut, because the cut may have parted them from what they belong to.

    >>> print(_why("a" * 299 + "\U0001f468\u200d\U0001f469")[297:])
    aa👨
    """
    return visible(visible(text[:MOST_SAID])[:MOST_SAID])
