"""How a simulated model comes to know a step that it is asked: by the state, which no model sees.

Whoever makes prompts for a model makes them with the function that `rehearsed` returns. With each prompt it tells the simulated
ones among the models how the replies to it are made. Other models are told nothing. A part that cannot `rehearse` goes through
untouched.
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
    """Return `prompt`, which in addition tells the simulated ones among `models` of each prompt that it makes.

    Args:
        prompt: from the state of a step to its prompt.
        rehearse: from the same state to what may be replied; None if the task does not say.
        models: who is asked.
    """
    if rehearse is None:
        return prompt
    from maker_graph.models.simulation.model import SimulatedChatModel  # noqa: PLC0415  a real run knows nothing of it

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
