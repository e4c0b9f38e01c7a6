"""The progress bars of the commands, on standard error."""

from collections.abc import Iterable

from rich.console import RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from maker_graph.cli.output import console


class Bar(Progress):
    """A progress bar with a second line, so that both fit into a narrow terminal.

    Attributes:
        below: the second line; an empty text shows none.
    """

    below = ""

    def get_renderables(self) -> Iterable[RenderableType]:
        """Yield the bar, and the line below it."""
        yield self.make_tasks_table(self.tasks)
        if self.below:
            yield Text(self.below, style="dim")


def progress_bar(unit: str) -> Bar:
    """Return a bar that shows a description, how many of how many `unit` are done, and the time that is left.

    `unit` may hold fields of its task, such as `steps{task.fields[rate]}`.
    """
    return Bar(
        TextColumn("{task.description}", style="bold", markup=False),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn(unit, markup=False),
        TimeRemainingColumn(compact=True),
        console=console(err=True),
    )
