"""How each item of a run ended, as one line of JSON: it leads from a row of the results back to the ballot."""

import json
from pathlib import Path
from typing import Any

from maker_graph.core.decision import Decision, Vote, rung_of
from maker_graph.models.pricing import Price
from maker_graph.run.options import RunOptions, cost_of, prices_of
from maker_graph.run.settings import Settings


class Provenance:
    """Writes how each item ended, into a file beside the results. The journal holds the same.

    A line has these keys:

    - `run`: the id of the run.
    - `number`: the number of the item, from 1. Its step in the journal has the same number.
    - `status`: "decided" or "open".
    - `by`: "vote", "program", "world" or "person"; null if the item is open.
    - `proved`: what the proof of the answer rests on, if the task's verifier proved it; null if not.
    - `votes`: one for each rung that voted, in their order: the `rung` (from 1, or the name of a rung of the ladder), its
      `model`, its `ballot`, the `sequence` of its samples, its `flags`, `samples` and `tokens`.
    - `samples`: how many samples were drawn, on all rungs.
    - `cost_usd`: what the samples cost at the prices of their models; null if one of the prices is not known.
    - `seed`: the seed of the run; null if none was sent.

    Attributes:
        path: the file.
    """

    def __init__(self, path: Path, settings: Settings, options: RunOptions) -> None:
        self._path = path
        self._settings = settings
        prices = prices_of(settings, options)
        models = [settings.model, *(rung.model for rung in settings.cascade)]
        self._rungs: dict[int, tuple[str, Price | None]] = dict(
            enumerate(zip(models, (prices.model, *prices.rungs), strict=True))
        )
        self._stronger = (settings.ladder.model or settings.model, prices.ladder)

    @property
    def path(self) -> Path:
        """The file."""
        return self._path

    def line(self, number: int, decision: Decision) -> str:
        """Return the line of an item, with its line end."""
        return json.dumps(self.told(number, decision), ensure_ascii=False) + "\n"

    def told(self, number: int, decision: Decision) -> dict[str, Any]:
        """Return the content of the line of an item."""
        votes = [vote for vote in (*decision["tried"], decision) if vote["samples"]]
        costs = [None if (price := self._asked(vote)[1]) is None else cost_of(vote, price) for vote in votes]
        decided, by = decision["status"] == "decided", decision["by"]
        return {
            "run": self._settings.id,
            "number": number,
            "status": "decided" if decided else "open",
            "by": None if not decided else by if by in {"program", "world", "person"} else "vote",
            "proved": decision.get("proved"),
            "votes": [self._vote(vote) for vote in votes],
            "samples": sum(vote["samples"] for vote in votes),
            "cost_usd": None if None in costs else round(sum(cost for cost in costs if cost is not None), 9),
            "seed": self._settings.voting.seed,
        }

    def _asked(self, vote: Vote) -> tuple[str, Price | None]:
        return self._stronger if vote["by"] == "model" else self._rungs[rung_of(vote["by"])]

    def _vote(self, vote: Vote) -> dict[str, Any]:
        by = vote["by"]
        rung = rung_of(by) + 1 if by == "base" or by.startswith("rung ") else by
        return {
            "rung": rung,
            "model": self._asked(vote)[0],
            "ballot": vote["ballot"],
            "sequence": vote["sequence"],
            "flags": vote["flags"],
            "samples": vote["samples"],
            "tokens": vote["usage"],
        }
