"""A tiny language model, trained from scratch to make moves of Towers of Hanoi: a real one, whose errors nobody scripted.

It reads the end of a prompt and writes a reply token by token, and is now and then wrong, as models are. It has learned
nothing but the replies to `maker_graph.tasks.Hanoi`; `examples/train_tiny_lm/` shows how, and how often it errs.
"""

from maker_graph.models.tiny_lm.engine import CALIBRATION, Ask, Completion, Engine, shared_engine
from maker_graph.models.tiny_lm.model import TinyChatModel

__all__ = ["CALIBRATION", "Ask", "Completion", "Engine", "TinyChatModel", "shared_engine"]
