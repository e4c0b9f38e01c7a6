"""Who votes in a run: its models, rules and rungs. Each call goes on the run's account, at the price of its model."""

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
    """Return the price of a request to `model`; None stands for the price of the ledger.

    It is the `known` price, if there is one. Without it a model that ships is free, and the price of any other is
    `NOT_KNOWN`. If `model` is None, the run's own model is asked.
    """
    if known is not None or model is None:
        return known
    return FREE if info_of(model).ships else NOT_KNOWN


class Chats(NamedTuple):
    """The chat models of a run.

    Attributes:
        model: the run's own.
        ladder: the stronger model of the ladder; None if there is none.
        drafts: the model that drafts states.
        parts: part -> its model, for the parts that have one of their own.
        rungs: those of the cascade after the first rung.
        writers: name -> the model of this name that writes down answers.
    """

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
            UsageError: one of them cannot be made.
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
        voting: how a step is voted on at first, unless its part has settings of its own.
    """

    def __init__(self, settings: Settings, options: RunOptions, chats: Chats) -> None:
        """Take the settings of the run, its options for this session, and its models."""
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
        """Return who votes on the steps of `task`, and how. All that is spent goes to `meter`.

        The task is that of the run, or that of its open items.
        """
        after = self._cascade(prices, meter) if self._settings.cascade else self._ladder(prices, meter)
        voting = self._writing(self.voting, prices, meter)
        return Asked(guarded(task), self._chats.model, voting, self._of_parts(prices, meter), after)

    def _replaced(self, voting: Voting) -> Voting:
        return replace(voting, max_samples=self._max_samples or voting.max_samples)

    def _writing(self, voting: Voting, prices: Prices, meter: Ledger) -> Voting:
        """Return `voting`, with the other model that writes down the answers, if there is one, on the run's account."""
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
        """Return part -> its own model and voting, for the parts that have settings of their own."""
        found = {}
        for name, part in self._settings.parts.items():
            own = None if part.model is None else Calls(meter=meter.at(priced(prices.parts.get(name), part.model)))
            found[name] = OfPart(
                self._chats.parts.get(name),
                self._writing(self._replaced(self._settings.voting_of(name)), prices, meter),
                own,
            )
        return found
