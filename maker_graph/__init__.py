"""Long tasks by small voted steps: MAKER (arXiv 2511.09030) as LangGraph graphs.

`create_microstep` returns one voted decision as a node for any LangGraph app; `create_maker` the outer machine that solves a
task step by voted step. Everything public is listed here; nothing happens at import.
"""

from maker_graph.core.canonical import JSON, canonical, strict_json
from maker_graph.core.decision import Decision, Usage
from maker_graph.core.red_flags import RedFlag, Sample, empty, refused, too_long, truncated
from maker_graph.core.rules import AheadBy, Decided, Draw, FirstTo, Hung, Majority, StoppingRule
from maker_graph.core.task import Task
from maker_graph.core.voting import Voting
from maker_graph.errors import (
    DamagedRun,
    Incomparable,
    Invalid,
    LimitReached,
    MakerError,
    MissingKey,
    ProviderFailure,
    StaleStep,
    TakenOver,
    Undecided,
    UnknownModel,
    UnknownTask,
    UnusableRun,
    UsageError,
)
from maker_graph.graph.ladder import Ladder
from maker_graph.graph.maker import create_maker
from maker_graph.graph.microstep import create_microstep
from maker_graph.graph.serializer import strict_serializer
from maker_graph.runs import DecidedStep, Run
from maker_graph.statistics.independent import expected_votes, k_min, p_full, p_sub

__all__ = [
    "JSON",
    "AheadBy",
    "DamagedRun",
    "Decided",
    "DecidedStep",
    "Decision",
    "Draw",
    "FirstTo",
    "Hung",
    "Incomparable",
    "Invalid",
    "Ladder",
    "LimitReached",
    "Majority",
    "MakerError",
    "MissingKey",
    "ProviderFailure",
    "RedFlag",
    "Run",
    "Sample",
    "StaleStep",
    "StoppingRule",
    "TakenOver",
    "Task",
    "Undecided",
    "UnknownModel",
    "UnknownTask",
    "UnusableRun",
    "Usage",
    "UsageError",
    "Voting",
    "canonical",
    "create_maker",
    "create_microstep",
    "empty",
    "expected_votes",
    "k_min",
    "p_full",
    "p_sub",
    "refused",
    "strict_json",
    "strict_serializer",
    "too_long",
    "truncated",
]
