"""A tiny language model, trained from scratch to make moves of Towers of Hanoi. It is a real model: its errors are its own.

It reads the end of a prompt, writes a reply token by token, and is sometimes wrong, like any model. It has learned only the
replies to `maker_graph.tasks.Hanoi`. `examples/train_tiny_lm/` shows how, and how often it errs.
"""

from maker_graph.models.tiny_lm.engine import CALIBRATION, Ask, Completion, Engine, shared_engine
from maker_graph.models.tiny_lm.model import TinyChatModel

__all__ = ["CALIBRATION", "Ask", "Completion", "Engine", "TinyChatModel", "shared_engine"]
