"""Logic: does a step follow from its premises? It uses Z3, in a separate process.

What a model wrote is read by `language.py`. Z3 only gets formulas that are built from the trees.
"""

from collections.abc import Sequence

from maker_graph.core import checks
from maker_graph.core.verifying import Verification
from maker_graph.extras import need_extra
from maker_graph.verify import solver
from maker_graph.verify.limits import MEGABYTES, SECONDS, see_seconds, shared_worker


class Logic:
    """A verifier of steps, within a limit of time and memory.

    Args:
        seconds: how long one verification may take.
        megabytes: how much address space its process may use.

    Raises:
        UsageError: Z3 is not installed, or a limit is out of range.
    """

    def __init__(self, *, seconds: float = SECONDS, megabytes: int = MEGABYTES) -> None:
        need_extra("verify", "Logic", "z3")
        self._seconds = see_seconds(seconds)
        self._megabytes = shared_worker(megabytes, *_LOADS).megabytes

    def follows(
        self, premises: str | Sequence[str], step: str, *, whole: Sequence[str] = (), conclusive: bool = True
    ) -> Verification:
        """Return whether a step follows from premises.

        - It follows: in every case in which the premises hold, the step has a value and holds. The verdict is conclusive. A
          step that holds even without the premises says nothing about them, so it is valid and never conclusive.
        - It does not follow: the step is invalid, and the reason is a counterexample. If that is rational, it is checked again
          without Z3.
        - If the premises contradict each other, anything follows from them. So the verdict is unknown.
        - If Z3 does not know, the verdict is unknown. That happens most with products of whole numbers.

        A relation that divides by zero is not true. So a premise `y = 1/x` also says that x is not 0, and a step that divides
        follows only if its divisor is not zero in any case.

        Args:
            premises: statements.
            step: a statement, usually what the model wrote.
            whole: names that stand for whole numbers; all others stand for real numbers.
            conclusive: whether a step that follows is the answer. Say True if the step states the value that was asked for,
                such as `x = 5`, because no other value follows too. Say False if a model may choose what to state.

        Raises:
            Invalid: the step does not follow.
        """
        listed = [premises] if isinstance(premises, str) else list(premises)
        checks.texts("premises", listed)
        checks.texts("whole", whole)
        checks.switch("conclusive", conclusive)
        worker = shared_worker(self._megabytes, *_LOADS)
        return worker.ask(solver.follows, listed, step, list(whole), conclusive, self._seconds, seconds=self._seconds)


_LOADS = ("z3", "maker_graph.verify.solver")
