"""A migration is a task of items: replies become edits, edits a patch, and its run keeps what it stands on."""

import json
from pathlib import Path
from typing import Any

import pytest

from maker_graph.core.items import DecidedItem
from maker_graph.errors import Invalid, UsageError
from maker_graph.tasks.loading import described, load_task, runs_foreign_code
from maker_graph.tasks.migrate import LEAVE, Migrate
from tests.tasks.migrate.trees import tree

OWN = Path(__file__).with_name("own.py")


def migration(root: Path, rule: str = "Plain", **files: str) -> Migrate:
    return Migrate(tree(root, **(files or {"a": "x = old(1)\n"})), f"{OWN}:{rule}")


def fenced(code: str) -> str:
    return f"```python\n{code}\n```"


def test_a_reply_is_one_block_or_bare_code_or_the_word(tmp_path: Path) -> None:
    task = migration(tmp_path)
    (site,) = task.items
    for reply in (fenced("new(1)"), "new(1)", f"Here it is:\n{fenced('  new(1)')}"):
        assert task.parse(reply, site) == "new(1)"
    for reply in (LEAVE, fenced(LEAVE), fenced("old( 1 )")):
        assert task.parse(reply, site) == LEAVE
    for reply in (fenced("a") + fenced("b"), "```new(1)", "I cannot do that.", "", fenced("new(1"), "new(1)\u200b"):
        with pytest.raises(ValueError, match=r"."):
            task.parse(reply, site)


def test_a_rule_may_leave_no_site_as_it_is(tmp_path: Path) -> None:
    task = migration(tmp_path, "Must")
    with pytest.raises(ValueError, match="changes nothing"):
        task.parse(LEAVE, task.items[0])
    assert LEAVE not in str(task.prompt(task.items[0]))


def test_the_same_tree_is_one_vote(tmp_path: Path) -> None:
    task = migration(tmp_path)
    assert task.key("new( 'a' )") == task.key('(new("a"))') != task.key("new('b')")


def test_the_rule_says_why_an_edit_is_refused(tmp_path: Path) -> None:
    task = migration(tmp_path)
    with pytest.raises(Invalid, match="old is still there"):
        task.check(task.items[0], "older(1)")
    assert task.check(task.items[0], LEAVE)


def test_the_prompt_shows_the_code_and_what_is_around_it(tmp_path: Path) -> None:
    task = migration(tmp_path, a="y = 0\nx = old(\n    1)\n")
    prompt: Any = task.prompt(task.items[0])
    (_, system), (_, user) = prompt
    assert system.startswith("Call new in place of old, in a.py.")
    assert LEAVE in system
    assert "a.py, line 2" in user
    assert "y = 0" in user
    assert "The code to rewrite:\n```python\nold(\n    1)\n```" in user


def test_what_the_program_is_sure_of_is_given_and_must_pass_the_rules_own_check(tmp_path: Path) -> None:
    task = migration(tmp_path / "a", "Sure", a="x = old(1)\ny = old(\n2)\n")
    assert [task.given(site) for site in task.items] == ["new(1)", None]
    wrong = migration(tmp_path / "b", "Wrong")
    with pytest.raises(UsageError, match=r"code that its check refuses \(old is still there\), at a\.py, line 1"):
        wrong.given(wrong.items[0])


def test_the_patch_holds_what_is_decided_and_the_list_beside_it_what_is_not(tmp_path: Path) -> None:
    task = migration(tmp_path / "src", a="x = old(1), old(2), old(3)\n", b="old(4)\n", bad="x = (\n")
    task.refused = {2: "the tests are red with it"}
    answers: list[tuple[Any, Any]] = [("decided", "new(1)"), ("open", None), ("open", None), ("decided", LEAVE)]
    decided = [
        DecidedItem(number, site, status, answer)
        for number, (site, (status, answer)) in enumerate(zip(task.items, answers, strict=True), start=1)
    ]
    out = tmp_path / "x.patch"
    assert task.outputs(out) == [out, tmp_path / "x.patch.review"]
    task.write(decided, out)
    assert out.read_text().splitlines()[-2:] == ["-x = old(1), old(2), old(3)", "+x = new(1), old(2), old(3)"]
    assert (tmp_path / "x.patch.review").read_text().splitlines() == [
        "a.py:1:13: item 2: the tests are red with it: old(2)",
        "a.py:1:21: item 3: no answer won: old(3)",
        "bad.py: not searched: line 1 is not Python that can be read",
    ]


def test_a_rule_that_finds_nothing_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"found nothing in .*: 1 Python files were searched, and 1 were left out \(bad"):
        migration(tmp_path, a="x = 1\n", bad="x = (\n")
    (tmp_path / "bad.py").unlink()
    with pytest.raises(UsageError, match=r"1 Python files were searched\. Give another path"):
        migration(tmp_path, a="x = 1\n")


def test_a_run_stands_on_the_files_as_they_were(tmp_path: Path) -> None:
    task = migration(tmp_path)
    kept, loaded = task.keep(), described(task)
    (tmp_path / "a.py").write_text("something else\n")
    again = load_task("migrate", loaded.options, loaded.inputs, kept)
    assert isinstance(again.task, Migrate)
    assert again.task.items == task.items
    assert again.inputs == loaded.inputs
    json.loads(kept)


def test_a_rule_of_ones_own_is_code_and_percent_is_not(tmp_path: Path) -> None:
    assert not runs_foreign_code("migrate", {"path": str(tmp_path), "rule": "percent"})
    assert not runs_foreign_code("migrate", {"path": str(tmp_path)})
    assert runs_foreign_code("migrate", {"path": str(tmp_path), "rule": "/anybody/rule.py:Rule"})


def test_the_oldest_python_may_be_named(tmp_path: Path) -> None:
    tree(tmp_path, a="'%s' % (x,)\n")
    assert Migrate(tmp_path, python="3.12").items[0]["target"] == [3, 12]
    with pytest.raises(UsageError, match="a version such as"):
        Migrate(tmp_path, python="three")


def test_code_that_is_nested_too_deeply_is_no_answer(tmp_path: Path) -> None:
    task = migration(tmp_path)
    for code in ("new(" + "+".join(["1"] * 3000) + ")", "new(" * 150 + ")" * 150, "[" * 5000):
        with pytest.raises((ValueError, Invalid)):
            task.check(task.items[0], str(task.parse(code, task.items[0])))


@pytest.mark.parametrize("found", [None, "library", [("a b", "c")], [("", "x")], [("a", "b", "c")], [(1, "b")]])
def test_imports_that_are_none_are_told_with_the_place(tmp_path: Path, found: object) -> None:
    task = migration(tmp_path)
    vars(task)["_rule"].imports = lambda site, code: found  # noqa: ARG005
    with pytest.raises(UsageError, match=r"imports.*a\.py, line 1"):
        task.edits({1: "new(1)"})


def test_a_site_that_holds_what_nobody_can_see_stops_no_run_and_is_asked(tmp_path: Path) -> None:
    task = migration(tmp_path, "Sure", a="x = old('\x85')\n")
    assert task.given(task.items[0]) is None
    with pytest.raises(ValueError, match="cannot be seen"):
        task.parse(fenced("new('\x85')"), task.items[0])


def test_a_rule_that_is_sure_of_no_text_is_told(tmp_path: Path) -> None:
    task = migration(tmp_path)
    vars(task)["_rule"].given = lambda site: 3  # noqa: ARG005
    with pytest.raises(UsageError, match="given must return code as a text"):
        task.given(task.items[0])
