"""The scenarios to test, in words, and what a simulated model must know about them."""

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from examples.app_testing.driver import ACTED_ON
from maker_graph import UsageError
from maker_graph.simulation import Replies

DONE, STUCK = "done", "stuck"
"""The choices other than an action: all is done, or it cannot be done on this page."""


class Known(Protocol):
    """What a simulated model must know about a scenario."""

    def action(self, state: dict[str, Any]) -> Replies:
        """Return the right reply to what is to be done next, and wrong ones."""
        ...

    def verdict(self, state: dict[str, Any]) -> Replies:
        """Return the right verdict, and the wrong one."""
        ...


@dataclass(frozen=True, slots=True)
class Scenario:
    """One thing to test.

    Attributes:
        name: the name of the scenario.
        start: the path at which it begins.
        goal: what is to be done, in words.
        expect: what the page must be like at the end, in words.
        dialogs: whether the page may show alerts.
        prepare: JavaScript that is evaluated in the page when the scenario begins.
        known: what a simulated model knows about the scenario. Real models do not need it.
    """

    name: str
    start: str
    goal: str
    expect: str
    dialogs: bool = False
    prepare: str = ""
    known: Known | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Script:
    """What a simulated model knows about a scenario: the steps of a person who does it, and what is seen at the end.

    The errors of a simulated model are these: it takes another element of the same name or kind, it stops too early, it passes
    a page that is not as expected, and it fails a page that is.

    Attributes:
        steps: each is ["click", role, name], ["fill", role, name, text], ["select", role, name, text] or ["go", path].
        seen: texts that are in the page, or in its address, if all is well.
        unseen: texts that are not there if all is well.
        hard: the probability that a verdict is wrong; None takes that of the model's profile.
    """

    steps: Sequence[Sequence[str]]
    seen: Sequence[str] = ()
    unseen: Sequence[str] = ()
    hard: float | None = None

    def action(self, state: dict[str, Any]) -> Replies:
        """Return the next step, or the way back from a wrong turn, and the errors of a hasty tester."""
        place, astray = self._place(state["actions"])
        page = state["page"]
        right = {"do": "back"} if astray else {"do": DONE} if place == len(self.steps) else self._step(place, page)
        wrong = [each for each in slips(right, page) if each != right]
        return Replies(_reply(right), [_reply(each) for each in wrong], 0.05)

    def verdict(self, state: dict[str, Any]) -> Replies:
        """Return whether a person would see what is expected, and the opposite."""
        page = state["page"]
        text = "\n".join([page["url"], *page["tree"]])
        well = all(each in text for each in self.seen) and not any(each in text for each in self.unseen)
        return Replies("pass", ["fail"], self.hard) if well else Replies("fail", ["pass"], self.hard)

    def _place(self, actions: Sequence[Mapping[str, Any]]) -> tuple[int, bool]:
        """Return how many steps are done, and whether the page is one to which a wrong turn has led."""
        place = page = 0
        astray = False
        for action in actions:
            if action["error"]:
                continue
            if not astray and place < len(self.steps) and _is(self.steps[place], action):
                place += 1
                page = place if action["do"] in {"click", "go"} else page
            elif action["do"] == "back":
                place, astray = page, False
            elif action["do"] == "fill":
                place = page  # it may have overwritten what was right
            else:
                astray = astray or bool(action["moved"])
        return place, astray

    def _step(self, place: int, page: Mapping[str, Any]) -> dict[str, str]:
        do, *rest = self.steps[place]
        if do == "go":
            return {"do": "go", "path": rest[0]}
        role, name, *text = rest
        for ref, (found, _, line) in page["refs"].items():
            if found == role and line.startswith(f'{role} "{name}"'):
                return {"do": do, "ref": ref, **({"text": text[0]} if text else {})}
        return {"do": STUCK}


def _is(step: Sequence[str], action: Mapping[str, Any]) -> bool:
    do, *rest = step
    if do != action["do"]:
        return False
    if do == "go":
        return bool(action["path"] == rest[0])
    return str(action["what"]).startswith(f'{rest[0]} "{rest[1]}"') and action.get("text") == (
        rest[2] if len(rest) > 2 else None
    )


def _reply(action: Mapping[str, str]) -> str:
    return json.dumps(action, ensure_ascii=False)


def slips(right: dict[str, str], page: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the wrong actions of a hasty tester in place of the right one, for simulated models."""
    refs, do = page["refs"], right["do"]
    found: list[dict[str, str]] = []
    if "ref" in right:
        role, _, line = refs[right["ref"]]
        name = line.partition(" ")[2]
        others = [ref for ref, (other, _, _) in refs.items() if other in ACTED_ON[do] and ref != right["ref"]]
        others.sort(key=lambda ref: (refs[ref][2].partition(" ")[2] != name, refs[ref][0] != role))
        found = [{**right, "ref": ref} for ref in others[:3]]
    elif links := [ref for ref, (role, _, _) in refs.items() if role in {"link", "button"}]:
        found = [{"do": "click", "ref": links[-1]}]
    return [*found, {"do": DONE}, {"do": STUCK}]


def read_plan(path: Path) -> tuple[str, list[Scenario]]:
    """Return the address of the application, and the scenarios, from a file like `notes.toml`.

    Raises:
        UsageError: the file cannot be read, or something is missing in it.
    """
    try:
        said = tomllib.loads(path.read_text(encoding="utf-8"))
        return str(said["url"]), [_scenario(each) for each in said["scenarios"]]
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from None
    except KeyError as error:
        raise UsageError(f"{path} does not say {error}: see examples/app_testing/notes.toml.") from None
    except (ValueError, TypeError, AttributeError) as error:
        raise UsageError(f"{path} holds no scenarios ({error}): see examples/app_testing/notes.toml.") from None


def _scenario(said: Mapping[str, Any]) -> Scenario:
    known = Script(said["steps"], said.get("seen", ()), said.get("unseen", ())) if "steps" in said else None
    return Scenario(
        name=str(said["name"]),
        start=str(said["start"]),
        goal=str(said["goal"]),
        expect=str(said["expect"]),
        dialogs=bool(said.get("dialogs", False)),
        known=known,
    )
