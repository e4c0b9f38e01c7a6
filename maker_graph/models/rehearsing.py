"""Tells simulated models what may be replied to a prompt, from the state of the step, which no model sees.

Prompts for models are made with the function that `rehearsed` returns. With each prompt it tells the simulated models how the
replies to it are made. Other models are told nothing. Prompts of a part without `rehearse` are made as usual.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from langchain_core.runnables import Runnable

from maker_graph.models.prompts import as_messages
from maker_graph.models.wrapped import chain_of

if TYPE_CHECKING:
    from maker_graph.models.simulation.rehearsal import Replies


def rehearsed(
    prompt: Callable[[Any], Any], rehearse: "Callable[[Any], Replies] | None", models: Sequence[Runnable[Any, Any]]
) -> Callable[[Any], Any]:
    """Return the function `prompt`, which now also tells the simulated models among `models` of each prompt that it makes.

    Args:
        prompt: returns the prompt for the state of a step.
        rehearse: returns the possible replies for the same state; None if the task does not say.
        models: the models that are asked.
    """
    if rehearse is None:
        return prompt
    from maker_graph.models.simulation.model import SimulatedChatModel  # noqa: PLC0415  a real run does not need it

    links = [link.model for model in models for link in chain_of(model).links]
    told = [model for model in links if isinstance(model, SimulatedChatModel)]
    if not told:
        return prompt

    def asked(state: Any) -> Any:
        made = prompt(state)
        make = partial(rehearse, state)
        for each in made["variants"] if isinstance(made, Mapping) and "variants" in made else [made]:
            messages = as_messages(each)
            for model in told:
                model.learn(messages, make)
        return made

    return asked
