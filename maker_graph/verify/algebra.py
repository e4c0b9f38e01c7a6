"""Algebra: are two expressions equal, and does a solution solve the equations? It uses SymPy, in a separate process.

What a model wrote is read by `language.py`. SymPy only gets trees, and none of its parsers is used. All names stand for real
numbers.
"""

from collections.abc import Callable, Mapping, Sequence

from maker_graph.core import checks
from maker_graph.core.verifying import Verification
from maker_graph.errors import UsageError
from maker_graph.extras import need_extra
from maker_graph.verify import symbols
from maker_graph.verify.limits import MEGABYTES, SECONDS, see_seconds, shared_worker


class Algebra:
    """Verifiers of algebra, each within a limit of time and memory.

    Args:
        seconds: how long one verification may take.
        megabytes: how much address space its process may use.

    Raises:
        UsageError: SymPy is not installed, or a limit is out of range.
    """

    def __init__(self, *, seconds: float = SECONDS, megabytes: int = MEGABYTES) -> None:
        need_extra("verify", "Algebra", "sympy")
        self._seconds = see_seconds(seconds)
        self._megabytes = shared_worker(megabytes, *_LOADS).megabytes

    def equal(self, left: str, right: str, *, conclusive: bool = True) -> Verification:
        """Return whether two expressions are equal, wherever both have a value.

        Numbers, quotients of polynomials and numbers with roots are compared exactly. The equality of other expressions, such
        as `sqrt(x^2)`, is not proved, and their verdict is never conclusive.

        Args:
            left: an expression, usually what the model wrote.
            right: an expression, usually the known one.
            conclusive: whether any equal expression is the answer. Say False if the question asks for a certain form.

        Raises:
            Invalid: they differ; the reason names a point at which they do, if one was found.
        """
        return self._ask(symbols.equal, left, right, checks.switch("conclusive", conclusive))

    def solves(
        self, equations: str | Sequence[str], solution: str | Mapping[str, str], *, conclusive: bool | None = None
    ) -> Verification:
        """Return whether a solution makes equations true.

        The verdict is conclusive if it is proved that the equations have no other real solution. That can be proved for linear
        equations that determine all unknowns, and for polynomials of one unknown. Conditions such as `x > 0` may stand among
        the equations.

        Args:
            equations: one or more, with the unknowns as names.
            solution: `x = 3, y = 4`, or a value for each name, or one value if there is one unknown.
            conclusive: True if any solution is the answer; False if the question asks for more than a solution; None to prove
                that there is no other solution.

        Raises:
            Invalid: an equation is not true, or it divides by zero at the solution.
        """
        listed = [equations] if isinstance(equations, str) else list(equations)
        if not checks.texts("equations", listed):
            raise UsageError("equations must hold at least one equation, but it is empty.")
        if not isinstance(solution, str | Mapping):
            raise UsageError(f"solution must be a text or a mapping of names to texts, not {checks.shown(solution)}.")
        given = solution if isinstance(solution, str) else dict(solution)
        if conclusive is not None:
            checks.switch("conclusive", conclusive)
        return self._ask(symbols.solves, listed, given, conclusive)

    def _ask(self, function: Callable[..., object], *given: object) -> Verification:
        return shared_worker(self._megabytes, *_LOADS).ask(function, *given, seconds=self._seconds)


_LOADS = ("sympy", "maker_graph.verify.symbols")
