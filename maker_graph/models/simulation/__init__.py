"""A simulated chat model with published error profiles, for demonstrations, rehearsals and tests."""

from maker_graph.models.simulation.chat import Answers, ChatRehearsal
from maker_graph.models.simulation.model import SimulatedChatModel, simulated
from maker_graph.models.simulation.profiles import PROFILES, Profile, profile_of
from maker_graph.models.simulation.rehearsal import DraftRehearsal, Messages, Rehearsal, Replies
from maker_graph.models.simulation.simulator import Reply, Simulator

__all__ = [
    "PROFILES",
    "Answers",
    "ChatRehearsal",
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
