"""The settings of the only retry loop: how often, and after how long, a failed request is made again."""

from typing import Any

from tenacity import RetryCallState, retry_if_exception

from maker_graph.models.faults import Failed, Fault
from maker_graph.models.gate import Gate

ATTEMPTS = 6
"""The most attempts for a request that fails for a reason that may go away, unless a `patience` is set."""

LONGEST_ASKED = 600.0
"""The longest wait, in seconds, that a provider may ask for, unless a `patience` is set. Then it is the patience."""


def longest_asked(patience: float | None) -> float:
    """Return the longest wait, in seconds, that a provider may ask for."""
    return LONGEST_ASKED if patience is None else patience


def retry_settings(gate: Gate, patience: float | None) -> dict[str, Any]:
    """Return the settings of the retry loop, blocking or async, for one sample whose requests may raise `Failed`.

    Args:
        gate: the gate that the requests go through.
        patience: the seconds for which a failed request is tried again; None means `ATTEMPTS` attempts.
    """
    began: float | None = None
    failures = 0

    def passes(error: BaseException) -> bool:
        return isinstance(error, Failed) and error.fault.passes(longest_asked(patience))

    def stop(state: RetryCallState) -> bool:
        nonlocal began
        if patience is None:
            return state.attempt_number >= ATTEMPTS
        now, fault = gate.clock(), fault_in(state)
        began = now if began is None else began
        over = now - min(began, gate.down_since or began) >= patience
        if fault is not None and fault.kind == "slow_down":
            began += fault.told or 0.0  # a wait that the provider asks for does not use up the patience
        return over

    def fault_in(state: RetryCallState) -> Fault | None:
        error = state.outcome.exception() if state.outcome is not None else None
        return error.fault if isinstance(error, Failed) else None

    def wait(state: RetryCallState) -> float:
        nonlocal failures
        fault = fault_in(state)
        if fault is None or fault.kind == "slow_down" or gate.down_since is not None:
            return 0.0  # the gate makes it wait
        failures += 1
        return gate.back_off(failures) if fault.told is None else fault.told

    return {"stop": stop, "wait": wait, "retry": retry_if_exception(passes), "reraise": True}
