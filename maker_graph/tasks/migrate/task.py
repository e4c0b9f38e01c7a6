"""The sites of a rule as a task of independent items: the answer of each is its new code, and the result is a patch."""

import hashlib
import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Self

from maker_graph.core.canonical import JSON
from maker_graph.core.characters import unseen, visible
from maker_graph.core.checks import broken_rule, failed
from maker_graph.core.items import DecidedItem, Items
from maker_graph.core.task import Prompt
from maker_graph.errors import Invalid, MakerError, UsageError
from maker_graph.extras import need_extra
from maker_graph.tasks.code import Code, absolute, file_of
from maker_graph.tasks.migrate.edits import Edit, edited, is_import, same_tree, see_comments, see_edit, see_target
from maker_graph.tasks.migrate.patch import patch_of
from maker_graph.tasks.migrate.rules import LEAVE, SHIPPED_RULES, Rule, rule_named
from maker_graph.tasks.migrate.sites import Site, find_sites
from maker_graph.tasks.migrate.tree import LeftOut, Source, Version, oldest_python, read_tree, top_of, version_in

FORM = """\
Reply with the new code in one fenced block, and nothing after it. Change only what the task needs.
Keep names, texts and comments.
"""

MAY_LEAVE = f"If the code must stay as it is, or you cannot tell, reply with the one word {LEAVE}.\n"

_BLOCK = re.compile(r"```[A-Za-z0-9]*[ \t]*\n(.*?)\n?[ \t]*```", re.DOTALL)


class Migrate(Items):
    """The task that rewrites the sites that a rule finds in a tree.

    Attributes:
        root: the folder of the tree.
        top: the folder to which the paths of the patch are relative: the top of the git tree around `root`, else `root`.
        sources: path from `root` -> file with sites, as it was when the run began.
        left_out: files that were not searched, with the reason.
        options: the options with which the task was made.
    """

    place = "site"
    whole = True

    def __init__(
        self,
        path: Path,
        rule: Annotated[str, Code(tuple(SHIPPED_RULES))] = "percent",
        python: str | None = None,
    ) -> None:
        """Read the tree and find the sites.

        Args:
            path: the folder of the code.
            rule: percent, or your own rule as file.py:Name or package.module:Name.
            python: the oldest Python on which the code must run, such as 3.9; by default the one in the tree's requires-python.

        Raises:
            UsageError: the folder cannot be read, the rule cannot be used, or it finds nothing.
        """
        oldest = _version(python) if python is not None else oldest_python(path.absolute())
        self._begin(path.absolute(), rule, python, oldest)
        found: list[tuple[Source, list[Site]]] = []
        number = 0
        for each in read_tree(self.root):
            sites = each if isinstance(each, LeftOut) else find_sites(each, self._rule, oldest)
            if isinstance(sites, LeftOut):
                self.left_out.append(sites)
                continue
            number += 1
            if sites and isinstance(each, Source):
                found.append((each, sites))
        self._found(found)
        if not self.items:
            left = [f", and {len(self.left_out):,} were left out ({each.path}: {each.why})" for each in self.left_out[:1]]
            raise UsageError(
                f"The rule found nothing in {path}: {number:,} Python files were searched{''.join(left)}. "
                "Give another path (--path) or rule (--rule)."
            )

    @classmethod
    def again(cls, kept: str, path: Path, rule: str = "percent", python: str | None = None) -> Self:
        """Return the task as it was when it gave `kept`; the tree may have changed since."""
        made = cls.__new__(cls)
        made.restore(json.loads(kept), path, rule, python)
        return made

    def restore(self, kept: Mapping[str, Any], path: Path, rule: str, python: str | None) -> None:
        """Become the task that gave `kept`, made with these options."""
        oldest = None if kept["target"] is None else (kept["target"][0], kept["target"][1])
        self._begin(path.absolute(), rule, python, oldest)
        self.left_out += [LeftOut(*each) for each in kept["left_out"]]
        found = [(source, find_sites(source, self._rule, oldest)) for source in (Source(*each) for each in kept["sources"])]
        self._found([(source, sites) for source, sites in found if not isinstance(sites, LeftOut)])

    def _begin(self, root: Path, rule: str, python: str | None, oldest: Version | None) -> None:
        need_extra("migrate", "migrate", "libcst")
        self.root, self.top = root, top_of(root)
        self.left_out: list[LeftOut] = []
        self.options: dict[str, JSON] = {"path": str(root), "rule": absolute(rule)}
        if python is not None:
            self.options["python"] = python
        self._oldest = oldest
        self._rule: Rule = rule_named(rule)
        self._file = None if rule in SHIPPED_RULES else file_of(rule) or _file_of(self._rule)
        for name in ("rehearse", "truth"):
            if hasattr(self._rule, name):
                setattr(self, name, getattr(self._rule, name))

    def _found(self, found: Sequence[tuple[Source, list[Site]]]) -> None:
        self.sources = {source.path: source for source, _ in found}
        self.items: list[Site] = [site for _, sites in found for site in sites]

    def keep(self) -> str:
        """Return the files with sites as they are now, so that the run does not depend on later changes of the tree."""
        return json.dumps(
            {
                "target": self._oldest,
                "left_out": [list(each) for each in self.left_out],
                "sources": [list(source) for source in self.sources.values()],
            }
        )

    def inputs(self) -> Mapping[str, Any]:
        """Return the data of the task: the files with sites, and the file of a user's rule."""
        files = {path: hashlib.sha256(source.content()).hexdigest() for path, source in self.sources.items()}
        return {"tree": files} | ({} if self._file is None else {"rule file": self._file})

    def given(self, item: Site) -> JSON:
        """Return the code of which the rule is sure; None if there is none, or it holds characters that nobody can see.

        Raises:
            UsageError: the rule breaks its own check.
        """
        if not hasattr(self._rule, "given"):
            return None
        code = self._of_rule("given", item)
        if code is None or (isinstance(code, str) and unseen(code) is not None):  # no answer may hold unseen characters
            return None
        if not isinstance(code, str):
            raise self._odd("given must return code as a text, or None", item)
        try:
            answer = self._read(code, item)
        except Invalid as error:
            raise self._odd(f"given returned code that cannot stand there ({error})", item) from None
        if answer != LEAVE and (broken := broken_rule(self.check, item, answer)) is not None:
            raise self._odd(f"given returned code that its check refuses ({broken})", item)
        return answer

    def prompt(self, item: Site) -> Prompt:
        """Return the rule's instructions, the code, and the lines around it."""
        said = self._of_rule("prompt", item)
        if not isinstance(said, str):
            raise self._odd("prompt must return a text", item)
        form = FORM + (MAY_LEAVE if self._may_leave else "")
        shown = f"{visible(item['file'])}, line {item['line']}. Around it:\n```python\n{item['around']}\n```\n"
        return [
            ("system", f"{said.rstrip()}\n\n{form}"),
            ("user", f"{shown}The code to rewrite:\n```python\n{item['code']}\n```\n"),
        ]

    @property
    def _may_leave(self) -> bool:
        return bool(getattr(self._rule, "may_leave", True))

    def parse(self, text: str, item: Site) -> JSON:  # type: ignore[override]  # it takes the item
        """Return the code in a reply, or `LEAVE`.

        Raises:
            ValueError: there is no code, more than one block, or code that cannot stand at the site.
        """
        text = text.strip()
        blocks = _BLOCK.findall(text)
        if len(blocks) > 1 or (not blocks and "```" in text):
            raise ValueError("not one fenced block")
        try:
            return self._read(blocks[0] if blocks else text, item)
        except Invalid as error:
            raise ValueError(str(error)) from None

    def _read(self, code: str, item: Site) -> str:
        """Return code as the answer for a site: `LEAVE` if it changes nothing.

        Raises:
            Invalid: the code cannot stand there.
        """
        code = code.strip() if item["kind"] == "expression" else code.strip("\n").rstrip()
        if code != LEAVE:
            odd = unseen(code)
            if "\f" in code or "\r" in code or odd:
                raise Invalid(f"it holds a character that cannot be seen ({odd or 'a form feed or a carriage return'})")
            try:
                see_edit(item, code)
            except RecursionError:
                raise Invalid("it is nested too deeply") from None
            if same_tree(code) == same_tree(item["code"]):
                code = LEAVE
        if code == LEAVE and not self._may_leave:
            raise Invalid("it changes nothing, but this rule leaves no site as it is")
        return code

    def key(self, answer: str) -> JSON:
        """Return what is voted on: the rule's key, or the syntax tree."""
        if answer == LEAVE:
            return ["leave"]
        if not hasattr(self._rule, "key"):
            return same_tree(answer)
        try:
            key: JSON = self._rule.key(answer)
        except Exception as error:
            raise failed(f"{type(self._rule).__name__}.key", error) from error
        return key

    def check(self, item: Site, answer: str) -> bool:
        """Say whether an edit keeps the comments, runs on the oldest Python, and is allowed by the rule.

        Raises:
            Invalid: it does not; the error says why.
        """
        if answer == LEAVE:
            return True
        see_comments(item, answer)
        try:
            see_target(item, answer)
            kept: bool = self._rule.check(item, answer)
        except RecursionError:
            raise Invalid("it is nested too deeply") from None
        return kept

    def _of_rule(self, name: str, item: Site) -> Any:
        try:
            return getattr(self._rule, name)(item)
        except MakerError:
            raise
        except Exception as error:
            raise failed(f"{type(self._rule).__name__}.{name}, at {item['file']}, line {item['line']},", error) from error

    def _odd(self, what: str, item: Site) -> UsageError:
        return UsageError(f"{type(self._rule).__name__}.{what}, at {item['file']}, line {item['line']}. Mend the rule.")

    def edits(self, answers: Mapping[int, str]) -> dict[str, bytes]:
        """Return the new content of each file that changes, by its path from `root`.

        Args:
            answers: number of a site, from 1 -> the decided code.

        Raises:
            UsageError: the edits cannot be put together.
        """
        by_file: dict[str, list[Edit]] = {}
        for number, code in answers.items():
            if code != LEAVE:
                site = self.items[number - 1]
                by_file.setdefault(site["file"], []).append(Edit(site, code, self._imports(site, code)))
        try:
            return {path: self.sources[path].content(edited(self.sources[path], edits)) for path, edits in by_file.items()}
        except Invalid as error:
            raise UsageError(f"The edits cannot be put together: {error}.") from None
        except UnicodeEncodeError as error:
            raise UsageError(f"The edits cannot be written in the encoding of their file: {error}.") from None

    def _imports(self, site: Site, code: str) -> tuple[tuple[str, str], ...]:
        if not hasattr(self._rule, "imports"):
            return ()
        try:
            found = tuple(self._rule.imports(site, code))
        except Exception as error:
            raise failed(f"{type(self._rule).__name__}.imports, at {site['file']}, line {site['line']},", error) from error
        if not all(map(is_import, found)):
            raise self._odd('imports must return pairs such as ("datetime", "UTC"), for from datetime import UTC', site)
        return tuple((module, name) for module, name in found)

    def from_top(self, path: str) -> str:
        """Return a path relative to `root` as one relative to `top`."""
        below = Path(self.root.resolve()).relative_to(self.top).as_posix()
        return path if below == "." else f"{below}/{path}"

    def outputs(self, out: Path) -> Sequence[Path]:
        """Return the patch, and the file beside it that lists what is not in it.

        Raises:
            UsageError: `out` is a file of the code.
        """
        if any(out.resolve() == (self.root / path).resolve() for path in self.sources):
            raise UsageError(f"--out {out} is a file of the code that is migrated: give another name for the patch.")
        return [out, review_path(out)]

    def write(self, decided: Iterable[DecidedItem], out: Path) -> None:
        """Write the patch, and a list of the sites that are open or refused, and of the files that were left out."""
        answers, lines = dict[int, str](), list[str]()
        for number, site, status, answer, _ in decided:
            if status == "open":
                why = self.refused.get(number, "no answer won")
                code = " ".join(site["code"].split())
                lines.append(f"{site['file']}:{site['line']}:{site['column']}: item {number}: {why}: {code}")
            else:
                answers[number] = str(answer)
        new = self.edits(answers)
        with out.open("wb") as file:
            for path in sorted(new):
                file.write(patch_of(self.from_top(path), self.sources[path].content(), new[path]))
        lines += [f"{path}: not searched: {why}" for path, why in self.left_out]
        if lines:
            review_path(out).write_text("".join(f"{visible(line)}\n" for line in lines), encoding="utf-8", newline="")


def review_path(out: Path) -> Path:
    """Return the file beside a patch that lists what is not in it.

    >>> review_path(Path("percent.patch")).name
    'percent.patch.review'
    """
    return out.with_name(f"{out.name}.review")


def _file_of(rule: Rule) -> Path | None:
    """Return the file that holds a user's rule."""
    file = getattr(sys.modules.get(type(rule).__module__), "__file__", None)
    return None if file is None else Path(file)


def _version(text: str) -> Version:
    if (found := re.fullmatch(r"(\d+)\.(\d+)", text)) is None:
        raise UsageError(f"python must be a version such as 3.9, not {text!r}.")
    version = version_in(f"=={found[0]}")
    assert version is not None  # noqa: S101  the text has the form of a version
    return version
