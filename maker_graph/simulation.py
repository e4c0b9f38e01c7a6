"""The simulated chat model, by the name under which tasks and apps import it: demonstrations, rehearsals and tests.

The room is `maker_graph/models/simulation/`; what is not listed here is not for users.
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
