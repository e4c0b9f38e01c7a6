"""Makes the request for a sample from its prompt, its number and the configured model: messages, config, seed."""

import hashlib
import threading
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from langchain_core.messages import BaseMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import merge_configs

from maker_graph.core.canonical import sorted_json
from maker_graph.core.task import Prompt
from maker_graph.models.configured import Configured
from maker_graph.models.gate import Gate
from maker_graph.models.prompts import as_messages, pairs_of

REMEMBERED = 256
"""How many prompts a sampler remembers the forms of, for the other samples of the same step."""


class Forms(NamedTuple):
    """A prompt in all the forms that are needed; the samples of a round share the same prompt object."""

    prompt: Prompt
    messages: Sequence[BaseMessage]
    plain: list[tuple[str, Any]]
    text: str


class Request(NamedTuple):
    """One request, for one sample or for several."""

    forms: Forms
    samples: Sequence[int]
    setting: Configured
    gate: Gate
    config: RunnableConfig
    kwargs: dict[str, Any]

    @property
    def messages(self) -> Sequence[BaseMessage]:
        """The messages that are sent."""
        return self.forms.messages


class Requests:
    """Makes the requests of a sampler, and remembers the forms of its latest prompts."""

    def __init__(self, name: str, seed: int | None, afresh: Callable[[], int]) -> None:
        """Remember nothing yet.

        Args:
            name: the name of a reply in traces.
            seed: the number from which each sample's own seed is made; None sends no seeds.
            afresh: returns how often the current step was given up before; each time other samples are drawn.
        """
        self._name = name
        self._seed = seed
        self._afresh = afresh
        self._forms: dict[int, Forms] = {}
        self._lock = threading.Lock()

    def of(
        self,
        prompt: Prompt,
        indices: Sequence[int],
        links: Sequence[Configured],
        gates: Sequence[Gate],
        metadata: dict[str, Any],
    ) -> list[Request]:
        """Return the first request for samples, and the requests to the stand-in models that are made if it fails.

        Args:
            prompt: the prompt.
            indices: the numbers of the samples.
            links: the models, which are asked one after the other until one replies.
            gates: the gates of these models, in the same order.
            metadata: metadata for the trace.
        """
        forms = self._of(prompt)
        return [
            Request(
                forms,
                indices,
                setting,
                gate,
                _config(self._name, indices, setting, metadata),
                self._kwargs(forms, indices, setting),
            )
            for setting, gate in zip(links, gates, strict=False)
        ]

    def text(self, prompt: Prompt) -> str:
        """Return a prompt as a text, for a hash."""
        forms = self._of(prompt)
        return forms.text or sorted_json(forms.plain)

    def _of(self, prompt: Prompt) -> Forms:
        forms = self._forms.get(id(prompt))
        if forms is None or forms.prompt is not prompt:
            messages = as_messages(prompt)
            plain = pairs_of(messages)
            forms = Forms(prompt, messages, plain, "" if self._seed is None else sorted_json(plain))
            with self._lock:
                if len(self._forms) >= REMEMBERED:
                    del self._forms[next(iter(self._forms))]
                self._forms[id(prompt)] = forms
        return forms

    def _kwargs(self, forms: Forms, indices: Sequence[int], setting: Configured) -> dict[str, Any]:
        kwargs = dict(setting.kwargs)
        if len(indices) > 1 and setting.several:
            kwargs["n"] = len(indices)
        if self._seed is not None and setting.seed is not None:
            again = self._afresh()
            seed = sample_seed(self._seed, "again", again) if again else self._seed
            kwargs[setting.seed] = _seed_of(seed, forms.text, indices[0])
        return kwargs


def drawn(salt: str, index: int, of: int) -> int:
    """Return the number, from 0, of the model or variant that sample `index` asks, out of `of` equally likely ones.

    >>> [drawn("a question", index, 3) for index in range(8)]
    [2, 2, 1, 1, 0, 0, 0, 1]
    """
    return int.from_bytes(hashlib.sha256(f"{salt} {index}".encode()).digest()[:8], "big") % of


def sample_seed(seed: int, prompt: object, index: int) -> int:
    """Return the seed of sample `index` of `prompt` in a run with `seed`: 31 bits, the same for any order of calls."""
    return _seed_of(seed, sorted_json(prompt), index)


def _seed_of(seed: int, prompt: str, index: int) -> int:
    text = f"[{seed},{index},{prompt}]"
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest(), "big") >> 1


def _config(name: str, indices: Sequence[int], setting: Configured, metadata: dict[str, Any]) -> RunnableConfig:
    index = indices[0]
    metadata = metadata | {"sample": index, "model": setting.name}
    if len(indices) > 1:
        metadata["samples"] = len(indices)
    if setting.temperature is not None:
        metadata["temperature"] = setting.temperature
    own: RunnableConfig = {"run_name": f"{name} {index}", "tags": ["nostream"], "metadata": metadata}
    return merge_configs(setting.config, own) if setting.config else own
