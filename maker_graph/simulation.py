"""The simulated chat model, for demonstrations, rehearsals and tests. Tasks and apps import it from here.

The code is in `maker_graph/models/simulation/`. Names that are not listed here are not for users.
"""

from maker_graph.models.simulation import (
    PROFILES,
    Answers,
    DraftRehearsal,
    Messages,
    Profile,
    Rehearsal,
    Replies,
    Reply,
    Simulator,
    profile_of,
)
from maker_graph.models.simulation.model import SimulatedChatModel, simulated

__all__ = [
    "PROFILES",
    "Answers",
    "DraftRehearsal",
    "Messages",
    "Profile",
    "Rehearsal",
    "Replies",
    "Reply",
    "SimulatedChatModel",
    "Simulator",
    "profile_of",
    "simulated",
]
