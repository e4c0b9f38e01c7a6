"""The options of a task: the arguments with which it is made, read from texts, and kept as plain JSON.

A text is read by the annotation of its parameter, as pydantic reads texts: `4` for an int, `yes` for a bool, `2026-01-31` for a
date. Lists and objects are JSON. A path is made absolute, so that it names the same file in whichever folder a run is resumed.
A parameter without annotation takes the text as it is.
"""

import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin

from pydantic import TypeAdapter, ValidationError
from pydantic.errors import PydanticSchemaGenerationError, PydanticUserError

from maker_graph.core.canonical import JSON, plain
from maker_graph.core.characters import visible
from maker_graph.errors import UsageError
from maker_graph.files import file_named, name_of
from maker_graph.tasks.code import Code, absolute
from maker_graph.tasks.examples import OPTION, takes_examples

REQUIRED = inspect.Parameter.empty
"""The default of an option that must be given."""

FILE = "input"
"""The name of the option that `--input` sets, if the task has an option of this name."""


class Option(NamedTuple):
    """An argument with which a task is made.

    Attributes:
        name: the name of the parameter.
        kind: its annotation; `str` if it has none.
        default: its default, or `REQUIRED`.
        meaning: what the docstring says of it; empty if it says nothing.
    """

    name: str
    kind: Any
    default: Any
    meaning: str = ""

    def __str__(self) -> str:
        return f"{self.name} ({self.described})"

    @property
    def described(self) -> str:
        """The kind of the option, and its value if it is left out."""
        default = "required" if self.default is REQUIRED else f"{str(self.default)[:40] or 'empty'} if left out"
        return f"{_shown(self.kind)}, {default}"

    @property
    def is_path(self) -> bool:
        """Whether the option is the path of a file."""
        return any(isinstance(each, type) and issubclass(each, Path) for each in (self.kind, *get_args(self.kind)))

    @property
    def code(self) -> Code | None:
        """The mark of the option as the name of code; None if it has none."""
        return next((each for each in get_args(self.kind)[1:] if isinstance(each, Code)), None)

    def read(self, text: str) -> JSON:
        """Return the value that `text` stands for, in the form in which it is kept.

        Raises:
            UsageError: the text is no value of this option.
        """
        adapter = self._adapter()
        value = _absolute(self._read(adapter, text if self.code is None else absolute(text)))
        try:
            kept = name_of(value) if isinstance(value, Path) else plain(adapter.dump_python(value, mode="json"), own=True)
        except ValueError as error:
            raise UsageError(f"{visible(f'{self.name}={text[:80]}')} cannot be kept with a run: {error}.") from None
        if self.value(kept) != value:
            raise UsageError(f"{self.name}={text[:80]} cannot be kept with a run: when read again, the value would differ.")
        return kept

    def value(self, kept: JSON) -> Any:
        """Return the value that was kept.

        Raises:
            UsageError: it is no value of this option.
        """
        try:
            value = self._adapter().validate_python(kept)
        except ValidationError as error:
            raise self._unfit(str(kept), error) from None
        return file_named(kept) if isinstance(value, Path) and isinstance(kept, str) else value

    def _read(self, adapter: TypeAdapter[Any], text: str) -> Any:
        ways = (adapter.validate_python, adapter.validate_json)
        problem: ValidationError | None = None
        for read in reversed(ways) if text.lstrip()[:1] in {"[", "{"} else ways:
            try:
                return read(text)
            except ValidationError as error:
                problem = problem or error
        assert problem is not None  # noqa: S101  both ways failed
        raise self._unfit(text, problem)

    def _adapter(self) -> TypeAdapter[Any]:
        if isinstance(self.kind, str):
            raise UsageError(
                f"{self.name} cannot be given as a text: its annotation ({self.kind}), or another one of this function, names "
                "something that is not imported when the program runs. Import it there, or leave the option out."
            )
        try:
            return TypeAdapter(self.kind)
        except (PydanticSchemaGenerationError, PydanticUserError):
            raise UsageError(f"{self.name} cannot be given as a text: it is a {_shown(self.kind)}. Leave it out.") from None

    def _unfit(self, text: str, error: ValidationError) -> UsageError:
        return UsageError(f"{self.name}={text[:80]} does not fit {_shown(self.kind)}: {error.errors()[0]['msg']}.")


class Options:
    """All options of the task `name`, which `make` makes.

    Attributes:
        known: name -> option.
    """

    def __init__(self, name: str, make: Callable[..., Any]) -> None:
        self.name = name
        self._make = make
        found = _parameters(make)
        said = _meanings(make)
        self.known = {
            each.name: _option(each)._replace(meaning=said.get(each.name, "")) for each in found if each.kind in _BY_NAME
        }
        if takes_examples(make):
            self.known[OPTION] = Option(OPTION, Path, None)
        self._others = next((_option(each) for each in found if each.kind is inspect.Parameter.VAR_KEYWORD), None)

    def option(self, name: str) -> Option:
        """Return the option of this name.

        Raises:
            UsageError: there is no such option; the error lists those that there are.
        """
        if name in self.known:
            return self.known[name]
        if self._others is not None:
            return self._others._replace(name=name)
        there = ", ".join(map(str, self.known.values()))
        raise UsageError(f"{self.name} has no option {name!r}: {f'its options are {there}' if there else 'it takes none'}.")

    def see_whole(self, given: Mapping[str, JSON]) -> None:
        """Make sure that `given` has all options that the task needs, and no others.

        Raises:
            UsageError: an option is missing or not known.
        """
        for name in given:
            self.option(name)
        for name, option in self.known.items():
            if option.default is REQUIRED and name not in given:
                how = "--input FILE" if self._is_input(name) else f"--{name.replace('_', '-')} VALUE"
                raise UsageError(f"{self.name} needs {name} ({_shown(option.kind)}): give {how}, or --set {name}=VALUE.")

    def values(self, given: Mapping[str, JSON]) -> dict[str, Any]:
        """Return the values with which the task is made, from options as they were kept.

        Raises:
            UsageError: an option is missing, is not known, or does not fit.
        """
        self.see_whole(given)
        return {name: self.option(name).value(kept) for name, kept in given.items()}

    def input_name(self) -> str:
        """Return the name of the option that `--input` sets.

        Raises:
            UsageError: there is none, or there are several.
        """
        if FILE in self.known:
            return FILE
        paths = [name for name, option in self.known.items() if option.is_path and name != OPTION]
        if len(paths) == 1:
            return paths[0]
        if not paths:
            raise UsageError(f"{self.name} takes no input file: leave out --input.")
        raise UsageError(f"{self.name} takes several files ({', '.join(paths)}): say which one with --set {paths[0]}=FILE.")

    def are_code(self, given: Mapping[str, JSON]) -> bool:
        """Say whether a given option names code that does not come with this package."""
        marks = {name: option.code for name, option in self.known.items() if name in given}
        return any(mark is not None and given[name] not in mark.ships for name, mark in marks.items())

    def _is_input(self, name: str) -> bool:
        try:
            return self.input_name() == name
        except UsageError:
            return False


def read_options(options: Options, texts: Iterable[str], source: Path | None) -> dict[str, JSON]:
    """Return the options in `texts`, each `name=value`, and `source` as the input file, in the form in which they are kept.

    Raises:
        UsageError: an option is given twice, is not known, or does not fit.
    """
    given: dict[str, JSON] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise UsageError(f"--set needs NAME=VALUE, not {text[:80]!r}.")
        _see_new(name, given)
        given[name] = options.option(name).read(value)
    if source is not None:
        name = options.input_name()
        _see_new(name, given)
        given[name] = options.option(name).read(str(source.absolute()))
    return given


_MODULES = re.compile(r"(?:\w+\.)+(?=\w)")
_BY_NAME = {inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY}


def _see_new(name: str, given: Mapping[str, JSON]) -> None:
    if name in given:
        raise UsageError(f"{name} is given twice: give it once, with --set or with its own option.")


def _parameters(make: Callable[..., Any]) -> list[inspect.Parameter]:
    """Return the parameters of `make`; annotations stay texts if one of them names something that is not imported."""
    try:
        signature = inspect.signature(make)
    except (TypeError, ValueError):
        return []  # a built-in that does not say what it takes
    with suppress(Exception):
        signature = inspect.signature(make, eval_str=True)
    return [*signature.parameters.values()]


def _meanings(make: Callable[..., Any]) -> dict[str, str]:
    """Return name -> what the docstring of `make` says of this parameter, under Args."""
    text = inspect.getdoc(getattr(make, "__init__", make) if isinstance(make, type) else make) or ""
    found: dict[str, str] = {}
    name = ""
    for line in text.partition("\nArgs:\n")[2].split("\n"):
        if not line.startswith("    "):
            break
        if begins := re.match(r"    (\w+): +", line):
            name = begins[1]
            found[name] = line[begins.end() :]
        elif name:
            found[name] += f" {line.strip()}"
    return found


def _option(parameter: inspect.Parameter) -> Option:
    kind = parameter.annotation
    return Option(parameter.name, str if kind is inspect.Parameter.empty else kind, parameter.default)


def _shown(kind: Any) -> str:
    """Return an annotation as a user would write it, without modules."""
    if isinstance(kind, str):
        return kind
    if get_origin(kind) is Annotated:
        return _shown(get_args(kind)[0])
    if isinstance(kind, UnionType) or get_origin(kind) is Union:
        return " | ".join("None" if each is NoneType else _shown(each) for each in get_args(kind))
    return kind.__name__ if isinstance(kind, type) and not get_args(kind) else _MODULES.sub("", inspect.formatannotation(kind))


def _absolute(value: Any) -> Any:
    """Return `value` with all paths in it made absolute."""
    if isinstance(value, Path):
        return value.absolute()
    if type(value) in {list, tuple, set}:
        return type(value)(map(_absolute, value))
    if type(value) is dict:
        return {name: _absolute(each) for name, each in value.items()}
    return value
