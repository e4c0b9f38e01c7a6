"""Long tasks in small steps, with a vote on each step: MAKER (arXiv 2511.09030) as LangGraph graphs.

`create_microstep` returns a node for any LangGraph app, which makes one decision by a vote. `create_maker` returns a
graph that solves a whole task, step by step. All public names are listed here.

Names that need LangGraph are imported when they are first used (PEP 562), because LangGraph and LangChain take most of
a second to import. Formulas, errors and the help of the command line need neither. Apart from imports, nothing happens
at import.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from maker_graph.core.canonical import JSON, canonical, strict_json
from maker_graph.core.decision import Decision
from maker_graph.core.emitting import Emit
from maker_graph.core.items import DecidedItem, Items
from maker_graph.core.judging import Usage
from maker_graph.core.red_flags import (
    RedFlag,
    Sample,
    ToolCall,
    empty,
    ended,
    no_text,
    refused,
    too_long,
    tool_calls,
    truncated,
)
from maker_graph.core.rules import AheadBy, Confirm, Decided, Draw, FirstTo, Hung, Majority, StoppingRule
from maker_graph.core.task import GivenPart, PartsTask, Task, VotedPart
from maker_graph.core.verifying import Unknown, Valid
from maker_graph.core.voting import Voting
from maker_graph.errors import (
    DamagedRun,
    Incomparable,
    Invalid,
    LimitReached,
    LostJournal,
    MakerError,
    MissingKey,
    OlderJournal,
    OutOfReach,
    PartFailed,
    ProviderFailure,
    StaleStep,
    TakenOver,
    Undecided,
    UnknownModel,
    UnknownTask,
    UnusableRun,
    UsageError,
)
from maker_graph.statistics.correlated import expected_votes as expected_votes_correlated
from maker_graph.statistics.correlated import k_min as k_min_correlated
from maker_graph.statistics.correlated import p_full as p_full_correlated
from maker_graph.statistics.correlated import p_sub as p_sub_correlated
from maker_graph.statistics.independent import expected_votes, k_min, p_full, p_sub
from maker_graph.statistics.within import PassingLaw, passing_law

if TYPE_CHECKING:
    from maker_graph.calibration.choosing import Chosen, Sampling, choose_by_labels
    from maker_graph.calibration.labelled import LabelPlan, PlanGoal, plan_labelled
    from maker_graph.calibration.statement import plan_statement
    from maker_graph.calibration.votes import read_votes
    from maker_graph.graph.cascade import Rung
    from maker_graph.graph.ladder import Ladder
    from maker_graph.graph.maker import create_maker
    from maker_graph.graph.microstep import create_microstep
    from maker_graph.graph.retry import retry_on
    from maker_graph.graph.serializer import strict_serializer
    from maker_graph.models.budget import Budget
    from maker_graph.models.copies import Copies
    from maker_graph.models.gate import Gate
    from maker_graph.models.vote import avote, vote
    from maker_graph.run.log import JournalLog
    from maker_graph.runs import DecidedStep, Run

__all__ = [
    "JSON",
    "AheadBy",
    "Budget",
    "Chosen",
    "Confirm",
    "Copies",
    "DamagedRun",
    "Decided",
    "DecidedItem",
    "DecidedStep",
    "Decision",
    "Draw",
    "Emit",
    "FirstTo",
    "Gate",
    "GivenPart",
    "Hung",
    "Incomparable",
    "Invalid",
    "Items",
    "JournalLog",
    "LabelPlan",
    "Ladder",
    "LimitReached",
    "LostJournal",
    "Majority",
    "MakerError",
    "MissingKey",
    "OlderJournal",
    "OutOfReach",
    "PartFailed",
    "PartsTask",
    "PassingLaw",
    "PlanGoal",
    "ProviderFailure",
    "RedFlag",
    "Run",
    "Rung",
    "Sample",
    "Sampling",
    "StaleStep",
    "StoppingRule",
    "TakenOver",
    "Task",
    "ToolCall",
    "Undecided",
    "Unknown",
    "UnknownModel",
    "UnknownTask",
    "UnusableRun",
    "Usage",
    "UsageError",
    "Valid",
    "VotedPart",
    "Voting",
    "avote",
    "canonical",
    "choose_by_labels",
    "create_maker",
    "create_microstep",
    "empty",
    "ended",
    "expected_votes",
    "expected_votes_correlated",
    "k_min",
    "k_min_correlated",
    "no_text",
    "p_full",
    "p_full_correlated",
    "p_sub",
    "p_sub_correlated",
    "passing_law",
    "plan_labelled",
    "plan_statement",
    "read_votes",
    "refused",
    "retry_on",
    "strict_json",
    "strict_serializer",
    "too_long",
    "tool_calls",
    "truncated",
    "vote",
]

_LATER = {
    "Budget": "maker_graph.models.budget",
    "Chosen": "maker_graph.calibration.choosing",
    "Copies": "maker_graph.models.copies",
    "DecidedStep": "maker_graph.runs",
    "Gate": "maker_graph.models.gate",
    "JournalLog": "maker_graph.run.log",
    "LabelPlan": "maker_graph.calibration.labelled",
    "Ladder": "maker_graph.graph.ladder",
    "PlanGoal": "maker_graph.calibration.labelled",
    "Run": "maker_graph.runs",
    "Rung": "maker_graph.graph.cascade",
    "Sampling": "maker_graph.calibration.choosing",
    "avote": "maker_graph.models.vote",
    "choose_by_labels": "maker_graph.calibration.choosing",
    "create_maker": "maker_graph.graph.maker",
    "create_microstep": "maker_graph.graph.microstep",
    "plan_labelled": "maker_graph.calibration.labelled",
    "plan_statement": "maker_graph.calibration.statement",
    "read_votes": "maker_graph.calibration.votes",
    "retry_on": "maker_graph.graph.retry",
    "strict_serializer": "maker_graph.graph.serializer",
    "vote": "maker_graph.models.vote",
}
"""The names that are imported on demand -> the module of each."""


def __getattr__(name: str) -> Any:
    """Return a public name that is imported on demand.

    Raises:
        AttributeError: there is no such name.
    """
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_LATER[name]), name)
    return value


def __dir__() -> list[str]:
    """Return the names of this module, also those that are not imported yet."""
    return sorted({*globals(), *__all__})
