"""Makes the API reference easier to read; `zensical.toml` has it loaded with the docstrings.

A doctest is shown as code, where Markdown would take it for a quotation. A default that is a constant with a name, such as
`k: int = K`, is shown with its value.
"""

import re
from collections.abc import Iterator
from typing import Any

from griffe import AliasResolutionError, ExprName, Extension, Function, GriffeLoader, Module, Object

DOCTEST = re.compile(r"^( *)>>> .*(?:\n *\S.*)*", re.MULTILINE)


class Readable(Extension):  # type: ignore[misc, unused-ignore]  # griffe comes with the extra `docs` only
    """Changes what was read before it is shown."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """Put a fence around each doctest of an object."""
        if obj.docstring is not None:
            obj.docstring.value = DOCTEST.sub(r"\1```pycon\n\g<0>\n\1```", obj.docstring.value)

    def on_package(self, *, pkg: Module, loader: GriffeLoader, **_: Any) -> None:
        """Put the values of constants in the place of their names, in the defaults of functions."""
        for function in functions_of(pkg):
            for parameter in function.parameters:
                if isinstance(parameter.default, ExprName) and parameter.default.name.isupper():
                    try:
                        constant = loader.modules_collection[parameter.default.canonical_path]
                        parameter.default = getattr(constant, "value", None) or parameter.default
                    except (KeyError, AliasResolutionError):
                        continue


def functions_of(module: Object) -> Iterator[Function]:
    """Return all functions and methods in a module, and in the modules below it."""
    for member in module.members.values():
        if member.is_alias:
            continue
        if member.is_function:
            yield member
        elif member.is_class or member.is_module:
            yield from functions_of(member)
