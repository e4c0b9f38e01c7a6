"""Who votes in a run: its models, rules and rungs, each on the account of the run at its own price."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from langchain_core.language_models import BaseChatModel

from maker_graph.core.guarding import AnyTask, Guarded, guarded
from maker_graph.core.voting import Voting
from maker_graph.graph.cascade import Cascade, Rung
from maker_graph.graph.ladder import Ladder
from maker_graph.graph.parts import Asked, OfPart
from maker_graph.models.calls import Calls
from maker_graph.models.names import info_of
from maker_graph.models.pricing import FREE, Price
from maker_graph.models.resolving import model_for, resolve_model
from maker_graph.run.account import NOT_KNOWN, Ledger
from maker_graph.run.options import Prices, RunOptions
from maker_graph.run.settings import Settings


def priced(known: Price | None, model: str | None) -> Price | None:
    """Return what a request of `model` costs; None if there is none of this name, and the run's own is asked."""
    if known is not None or model is None:
        return known
    return FREE if info_of(model).ships else NOT_KNOWN


class Chats(NamedTuple):
    """The chat models of a run."""

    model: BaseChatModel
    ladder: BaseChatModel | None
    drafts: BaseChatModel
    parts: Mapping[str, BaseChatModel]
    rungs: Sequence[BaseChatModel]
    writers: Mapping[str, BaseChatModel]

    @classmethod
    def of(cls, settings: Settings, options: RunOptions, task: AnyTask) -> "Chats":
        """Return the models that the settings and options of a run name.

        Raises:
            UsageError: one of them cannot be had.
        """
        seed, stronger = settings.voting.seed, settings.ladder.model
        model = model_for(settings.model, task, seed)
        return cls(
            model,
            None if stronger is None else model_for(stronger, task, seed),
            model if options.draft_model is None else model_for(options.draft_model, task, seed),
            {name: model_for(part.model, task, seed) for name, part in settings.parts.items() if part.model is not None},
            [model_for(rung.model, task, seed) for rung in settings.cascade],
            {name: resolve_model(name, seed=seed) for name in settings.writers},
        )


class WhoVotes:
    """Who votes on the steps of a run, and how.

    Attributes:
        voting: how a step is first voted on, unless something else is set for it.
    """

    def __init__(self, settings: Settings, options: RunOptions, chats: Chats) -> None:
        """Take what the run was asked for, and what it was told for this session."""
        self._settings = settings
        self._chats = chats
        self._max_samples = options.max_samples
        self.voting = self._replaced(settings.voting)

    def most_samples(self, task: Guarded) -> int:
        """Return how many samples a step may draw at most, on all rungs."""
        settings = self._settings
        if settings.cascade:
            return self.voting.max_samples + sum(self._replaced(rung.voting).max_samples for rung in settings.cascade)
        ladder = Ladder(settings.ladder.temperature, settings.ladder.rephrase, self._chats.ladder)
        return self.voting.max_samples * max(map(ladder.votes, task.voted_parts.values()), default=1)

    def asked(self, task: AnyTask, prices: Prices, meter: Ledger) -> Asked:
        """Return it for a task: that of the run, or its open items; all that is spent goes to `meter`."""
        after = self._cascade(prices, meter) if self._settings.cascade else self._ladder(prices, meter)
        voting = self._writing(self.voting, prices, meter)
        return Asked(guarded(task), self._chats.model, voting, self._of_parts(prices, meter), after)

    def _replaced(self, voting: Voting) -> Voting:
        return replace(voting, max_samples=self._max_samples or voting.max_samples)

    def _writing(self, voting: Voting, prices: Prices, meter: Ledger) -> Voting:
        """Return `voting` with the chat model that writes the answers, where that is another, on the run's account."""
        emit = voting.emit
        if emit is None or (name := emit.writer) is None:
            return voting
        calls = Calls(meter=meter.at(priced(prices.writers.get(name), name)))
        return replace(voting, emit=replace(emit, model=self._chats.writers[name], calls=calls))

    def _ladder(self, prices: Prices, meter: Ledger) -> Ladder:
        said = self._settings.ladder
        stronger = Calls(meter=meter.at(priced(prices.ladder, said.model)))
        return Ladder(said.temperature, said.rephrase, self._chats.ladder, stronger, self._settings.ladder_temperature)

    def _cascade(self, prices: Prices, meter: Ledger) -> Cascade:
        return Cascade(
            [
                Rung(
                    chat,
                    self._writing(self._replaced(rung.voting), prices, meter),
                    rung.rephrase,
                    Calls(meter=meter.at(priced(price, rung.model))),
                )
                for rung, chat, price in zip(self._settings.cascade, self._chats.rungs, prices.rungs, strict=True)
            ]
        )

    def _of_parts(self, prices: Prices, meter: Ledger) -> dict[str, OfPart]:
        """Return what the settings say for single parts."""
        found = {}
        for name, part in self._settings.parts.items():
            own = None if part.model is None else Calls(meter=meter.at(priced(prices.parts.get(name), part.model)))
            found[name] = OfPart(
                self._chats.parts.get(name),
                self._writing(self._replaced(self._settings.voting_of(name)), prices, meter),
                own,
            )
        return found
