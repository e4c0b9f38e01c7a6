"""Logic: does a step follow from its premises? With Z3, in a process of its own.

What a model wrote is read by the language of this room; Z3 only gets formulas that are built from its trees.
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
        megabytes: how much address space it may use.

    Raises:
        UsageError: Z3 is not installed, or a limit is none.
    """

    def __init__(self, *, seconds: float = SECONDS, megabytes: int = MEGABYTES) -> None:
        need_extra("verify", "Logic", "z3")
        self._seconds = see_seconds(seconds)
        self._megabytes = shared_worker(megabytes, *_LOADS).megabytes

    def follows(
        self, premises: str | Sequence[str], step: str, *, whole: Sequence[str] = (), conclusive: bool = True
    ) -> Verification:
        """Return whether a step follows from premises.

        - It follows: in every case in which the premises hold, the step has a value and holds. That is conclusive. A step that
          holds without the premises says nothing about them, so it is valid and never conclusive.
        - It does not follow: the reason is a counterexample, which is computed again without Z3 where it is rational.
        - Premises that contradict each other prove anything, so what follows from them is unknown.
        - Z3 may not know either, most of all of products of whole numbers.

        A relation that divides by zero is not true: a premise `y = 1/x` says that x is not 0, and a step that divides must
        follow together with that.

        Args:
            premises: statements.
            step: a statement, usually what the model wrote.
            whole: names that stand for whole numbers; all others stand for real ones.
            conclusive: whether a step that follows is the answer. It is if the step states the value that was asked for, such
                as `x = 5`, for no other value follows too. It is not if a model may choose what to state.

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
