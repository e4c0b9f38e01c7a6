"""Files of labelled votes as the tests make them."""

import json
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

from maker_graph.calibration.votes import LabelledVotes, read_votes
from maker_graph.run.cascades import CascadeFile, RungFile


def written(path: Path, rows: Sequence[dict[str, Any] | str]) -> Path:
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows), encoding="utf-8")
    return path


def row_of(number: int, res: str, truth: str = "R", **more: Any) -> dict[str, Any]:
    """Return a row whose samples are letters; "-" is a red flag."""
    return {"row": number, "truth": truth, "res": [None if each == "-" else each for each in res], **more}


def votes_of(folder: Path, name: str = "m", *samples: str) -> LabelledVotes:
    return read_votes([f"{name}={written(folder / 'votes.jsonl', [row_of(i, each) for i, each in enumerate(samples)])}"])


def cascade_of(*rungs: dict[str, Any], name: str = "") -> CascadeFile:
    return CascadeFile(name=name, rungs=[RungFile(**{"model": "m", **rung}) for rung in rungs])


def drawn_rows(
    number: int, *, samples: int = 16, p: float = 0.9, rho: float = 0.3, flags: float = 0.05, seed: int = 1
) -> list[str]:
    """Return rows of a model whose errors are correlated."""
    chance, weight, found = Random(seed), 1 / rho - 1, []
    for _ in range(number):
        theta = chance.betavariate((1 - p) * weight, p * weight)
        sample = (
            "-" if chance.random() < flags else chance.choice("xy") if chance.random() < theta else "R" for _ in range(samples)
        )
        found.append("".join(sample))
    return found
