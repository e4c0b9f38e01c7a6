"""A user's code that an option of a task names: `package.module:name`, or `file.py:name`.

Such an option is marked in its annotation: `Annotated[str, Code(...)]`. Opening a run does not import this code only because
the directory of the run names it; see `runs_foreign_code` in `loading.py`.
"""

import importlib
import importlib.util
import os
import sys
from collections.abc import Container
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from types import ModuleType
from typing import Any

from maker_graph.errors import MakerError, UsageError


@dataclass(frozen=True, slots=True)
class Code:
    """Marks an option whose text names code.

    Attributes:
        ships: the names that mean code of this package.
    """

    ships: Container[str] = ()


def absolute(name: str) -> str:
    """Return the name of code with an absolute path of its file, so that it means the same in any folder.

    >>> absolute("package.module:Rule")
    'package.module:Rule'
    """
    file, colon, attribute = name.rpartition(":")
    return f"{Path(file).absolute()}:{attribute}" if colon and file.endswith(".py") else name


def file_of(name: str) -> Path | None:
    """Return the file in a name like `file.py:name`; None for any other name."""
    file, colon, _ = name.rpartition(":")
    return Path(file) if colon and file.endswith(".py") else None


def imported(name: str, what: str) -> Any:
    """Return the object that `name` names; its module is imported.

    Args:
        name: `package.module:name` or `file.py:name`.
        what: what the object is, for errors, such as "The rule".

    Raises:
        UsageError: there is no such object, or its import fails.
    """
    module_name, colon, attribute = name.rpartition(":")
    if not colon or not module_name or not attribute:
        raise UsageError(f"{what} {name!r} is not a name of code: give file.py:Name or package.module:Name.")
    try:
        path = file_of(name)
        module = find_module(module_name) if path is None else _of_file(path)
        return reduce(getattr, attribute.split("."), module)
    except MakerError:
        raise
    except (Exception, SystemExit) as error:  # a script that was named by mistake ends the process
        raise UsageError(f"{what} {name!r} cannot be imported: {type(error).__name__}: {error}.") from error


def find_module(name: str) -> ModuleType:
    """Return a module by its name; modules in the current folder are found too."""
    here = os.getcwd()  # noqa: PTH109  sys.path holds strings
    if "" not in sys.path and here not in sys.path:
        sys.path.insert(0, here)
    return importlib.import_module(name)


def _of_file(path: Path) -> ModuleType:
    """Return the module in a file. It is executed anew each time, and no other module can import it."""
    spec = importlib.util.spec_from_file_location(f"maker_graph_own_{path.stem}", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise UsageError(f"There is no file {path}.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses and pydantic look a class's module up
    spec.loader.exec_module(module)
    return module
