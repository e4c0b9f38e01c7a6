"""The progress bar that all long commands show on standard error."""

from collections.abc import Iterable

from rich.console import RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from maker_graph.cli.output import console
from maker_graph.core.characters import visible


class Bar(Progress):
    """A live bar: what is worked on, how much of it is done, and the time that is left.

    Attributes:
        below: a line under the bar. It stands on its own, so that both fit into a narrow terminal.
    """

    below = ""

    def __init__(self, name: str, unit: str, total: int | None = None, *, done: int = 0) -> None:
        """Make a bar, which is shown from `start` or the beginning of a `with` block.

        Args:
            name: what is worked on.
            unit: what is counted, such as "steps".
            total: how many there are; None if that is not known.
            done: how many are done already.
        """
        super().__init__(
            TextColumn("{task.description}", style="bold", markup=False),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[unit]}{task.fields[more]}", markup=False),
            TimeRemainingColumn(compact=True),
            console=console(err=True),
        )
        self._row = self.add_task(visible(name), total=total, completed=done, unit=unit, more="")

    @property
    def speed(self) -> float:
        """How many are done a second; 0 if that is not known yet."""
        return self.tasks[0].speed or 0.0

    def reach(self, done: int, total: int | None = None, *, more: str = "") -> None:
        """Show that so many are done; `more` follows the unit. A total that is None stays as it was."""
        self.update(self._row, completed=done, total=total, more=more)

    def step(self) -> None:
        """Show that one more is done."""
        self.advance(self._row)

    def get_renderables(self) -> Iterable[RenderableType]:
        """Yield the bar, and the line under it if there is one."""
        yield from super().get_renderables()
        if self.below:
            yield Text(self.below, style="dim")

    def stop(self) -> None:
        """Leave the bar as it is now; of one that was never shown, leave nothing."""
        if self.live.is_started:
            super().stop()
