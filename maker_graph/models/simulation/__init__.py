"""A simulated chat model with published error profiles, for demonstrations, rehearsals and tests.

The chat model itself is in `model.py`, so that profiles can be read without LangChain.
"""

from maker_graph.models.simulation.chat import Answers
from maker_graph.models.simulation.profiles import PROFILES, Profile, profile_of
from maker_graph.models.simulation.rehearsal import DraftRehearsal, Messages, Rehearsal, Replies
from maker_graph.models.simulation.simulator import Reply, Simulator

__all__ = [
    "PROFILES",
    "Answers",
    "DraftRehearsal",
    "Messages",
    "Profile",
    "Rehearsal",
    "Replies",
    "Reply",
    "Simulator",
    "profile_of",
]
