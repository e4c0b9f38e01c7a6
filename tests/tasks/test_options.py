"""Options of a task: read from texts by their annotations, kept as plain JSON, and the same when they are read again."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest
from pydantic import BaseModel, SecretStr

from maker_graph.errors import UsageError
from maker_graph.tasks.options import Options, read_options

if TYPE_CHECKING:
    from nowhere import Nothing  # type: ignore[import-not-found]  # it is not there


class Way(Enum):
    FAST = "fast"
    GOOD = "good"


class Limits(BaseModel):
    low: int
    high: int = 9


def task(  # type: ignore[no-untyped-def]  # noqa: PLR0917  as many as there are kinds
    rows: Path,
    size: int = 3,
    share: float = 0.5,
    strict: bool = True,
    name: str = "x",
    bare="y",  # noqa: ANN001  without an annotation
    day: date | None = None,
    amount: Decimal = Decimal(1),
    way: Way = Way.FAST,
    level: Literal[1, 2, "most"] = 1,
    columns: list[str] | None = None,
    weights: dict[str, float] | None = None,
    pair: tuple[int, int] = (1, 2),
    marks: set[int] = frozenset(),  # type: ignore[assignment]
    limits: Limits | None = None,
    files: list[Path] | None = None,
    *,
    either: int | str = 0,
) -> Any:
    return dict(locals())


OPTIONS = Options("mine:task", task)


@pytest.mark.parametrize(
    ("text", "kept", "value"),
    [
        ("size=4", 4, 4),
        ("size=-1", -1, -1),
        ("share=.25", 0.25, 0.25),
        ("strict=no", False, False),
        ("strict=1", True, True),
        ("name=4", "4", "4"),
        ("name=", "", ""),
        ("name=a=b", "a=b", "a=b"),
        ("name=[1]", "[1]", "[1]"),
        ("bare=4", "4", "4"),
        ("day=2026-01-31", "2026-01-31", date(2026, 1, 31)),
        ("day=null", None, None),
        ("amount=10.50", "10.50", Decimal("10.50")),
        ("way=good", "good", Way.GOOD),
        ("level=2", 2, 2),
        ("level=most", "most", "most"),
        ('columns=["a", "b"]', ["a", "b"], ["a", "b"]),
        ('weights={"a": 1}', {"a": 1.0}, {"a": 1.0}),
        ("pair=[3, 4]", [3, 4], (3, 4)),
        ("marks=[3]", [3], {3}),
        ('limits={"low": 2}', {"low": 2, "high": 9}, Limits(low=2)),
        ("either=7", "7", "7"),
        ("rows=/a/b.csv", "/a/b.csv", Path("/a/b.csv")),
    ],
)
def test_a_text_is_read_by_the_annotation_and_kept_as_json(text: str, kept: Any, value: Any) -> None:
    (name,) = found = read_options(OPTIONS, [text], None)
    assert found == {name: kept}
    assert json.loads(json.dumps(found)) == found
    assert OPTIONS.values({"rows": "/r", **found})[name] == value


def test_a_path_names_the_same_file_from_whatever_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = read_options(OPTIONS, ["rows=a.csv", 'files=["b.csv"]'], None)
    assert found == {"rows": str(tmp_path / "a.csv"), "files": [str(tmp_path / "b.csv")]}
    assert OPTIONS.values(found)["files"] == [tmp_path / "b.csv"]


@pytest.mark.parametrize(
    ("texts", "problem"),
    [
        (["size=four"], "size=four does not fit int: Input should be a valid integer"),
        (["size=1.5"], "size=1.5 does not fit int"),
        (["strict=perhaps"], "strict=perhaps does not fit bool"),
        (["columns=a,b"], r"columns=a,b does not fit list\[str\] | None: Input should be a valid list"),
        (["columns=[1]"], "does not fit"),
        (['limits={"low": "x"}'], "does not fit Limits"),
        (["way=slow"], "does not fit Way: Input should be 'fast' or 'good'"),
        (["disks=3"], r"mine:task has no option 'disks': its options are rows \(Path, required\), size \(int, 3 if left out\)"),
        (["size"], "--set needs NAME=VALUE, not 'size'"),
        (["=4"], "--set needs NAME=VALUE"),
        (["size=4", "size=5"], "size is given twice"),
        (["share=nan"], "share=nan cannot be kept with a run"),
        (["share=1e400"], "share=1e400 cannot be kept with a run"),
        (["name=\udcff"], "cannot be kept with a run: .*lone surrogate"),
    ],
)
def test_what_does_not_fit_is_told_in_a_sentence(texts: list[str], problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        read_options(OPTIONS, texts, None)


def test_what_is_missing_is_told_and_how_to_give_it() -> None:
    with pytest.raises(UsageError, match=r"mine:task needs rows \(Path\): give --input FILE, or --set rows=VALUE\."):
        OPTIONS.values({"size": 4})


def one(*, other: Path | None = None, size: int = 1) -> None: ...
def named(*, input: str, other: Path) -> None: ...  # noqa: A002
def several(*, left: Path, right: Path) -> None: ...
def none(size: int = 1) -> None: ...


def test_the_input_file_is_the_option_of_this_name_or_the_only_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for make, name in ((one, "other"), (named, "input"), (task, "rows")):
        assert read_options(Options("t", make), [], Path("f.csv")) == {name: str(tmp_path / "f.csv")}
    for unfit, problem in ((none, "t takes no input file: leave out --input"), (several, r"several files \(left, right\)")):
        with pytest.raises(UsageError, match=problem):
            read_options(Options("t", unfit), [], Path("f.csv"))
    with pytest.raises(UsageError, match="other is given twice"):
        read_options(Options("t", one), ["other=g.csv"], Path("f.csv"))


def test_a_file_whose_name_is_no_utf_8_is_told() -> None:
    with pytest.raises(UsageError, match="not in UTF-8"):
        read_options(OPTIONS, ["rows=/r\udcff"], None)


def secret(key: SecretStr, task: Callable[[], int] | None = None, other: Nothing | None = None) -> None: ...
def keyed(key: SecretStr) -> None: ...
def calling(back: Callable[[], int]) -> None: ...


@dataclass
class Fields:
    size: int = 3
    rows: Path = Path("r")


class Model(BaseModel):
    size: int = 3


def open_ended(size: int = 1, **others: Any) -> None: ...


def test_what_cannot_be_kept_or_read_is_refused_when_it_is_given_and_not_before() -> None:
    with pytest.raises(UsageError, match="names something that is not imported when the program runs"):
        read_options(Options("t", secret), ["key=k"], None)
    with pytest.raises(UsageError, match="key=k cannot be kept"):
        read_options(Options("t", keyed), ["key=k"], None)
    with pytest.raises(UsageError, match=r"does not fit|cannot be given as a text"):
        read_options(Options("t", calling), ["back=k"], None)
    assert read_options(Options("t", secret), [], None) == {}


def test_dataclasses_models_and_functions_of_any_options_say_what_they_take() -> None:
    for make in (Fields, Model, open_ended):
        assert read_options(Options("t", make), ["size=4"], None) == {"size": 4}
    assert read_options(Options("t", open_ended), ["more=4"], None) == {"more": "4"}
    assert read_options(Options("t", len), [], None) == {}
