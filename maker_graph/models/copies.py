"""Counts the replies of a model that are copies of earlier ones, and reports them at once.

There are three signs (`core/copies.py`):
- A proven copy. The sample is discarded as `copy`, and a single one is reported.
- Long replies of one step that are the same at a temperature above 0. This is a suspicion, and is reported when at least half
  of them are.
- A probe, once before a run with a real model: three replies to a question whose answer is left to chance.

The samplers of an app or a run share one `Copies`. What it has seen is kept with a run, because votes on copies are no evidence
and such a run is not certified. Models that ship are not suspected: their replies are often alike, and no cache is involved.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from maker_graph.core.copies import LONG, PROBE, PROBED, CopiesSeen, alike, copies, drawn_text, reply_id
from maker_graph.core.red_flags import Sample
from maker_graph.errors import ProviderFailure

if TYPE_CHECKING:
    from maker_graph.models.sampler import Sampler

NOTHING = CopiesSeen()

_COPIED = (
    "A cache answers in the model's place: samples of one step came with the same response id, or with a header that says so. "
    "They are discarded as copies, because copies are no votes, and a run that has seen some is not certified. Switch off the "
    "cache between here and the model."
)
_ALIKE = (
    "Long replies of one step are often the same, word for word, at a temperature above 0 ({} of {}). Separate replies of a "
    "model differ more. If a gateway between here and the model has a cache, switch it off, or raise the temperature."
)
UNVARIED = (
    "Replies to a question whose answer is left to chance are the same, word for word. Either a cache answers in the model's "
    "place, or at this temperature all samples of a step are the same. Such a run is not certified: switch the cache off, or "
    "raise the temperature."
)
"""The report if the replies to the probe do not differ."""


class Copies:
    """Counts the copies among replies, and reports once, in a sentence, what to do. Threads and event loops may share it.

    >>> from maker_graph import Copies, create_microstep
    >>> from maker_graph.simulation import simulated
    >>> copies = Copies(notice=print)
    >>> model = simulated("perfect", {"capital of France": ["Paris", "Lyon"]})
    >>> node = create_microstep(model, calls={"copies": copies})
    >>> node.invoke({"messages": [("user", "What is the capital of France?")]})["messages"][-1].content, copies.seen.proven
    ('Paris', 0)

    Attributes:
        seen: what was seen so far.
    """

    def __init__(self, notice: Callable[[str], None] | None = None, *, seen: CopiesSeen = NOTHING) -> None:
        """Begin to count, or go on.

        Args:
            notice: is called with a sentence that says what was seen, once for each kind; None writes to the package's log.
            seen: what was seen before.
        """
        self.seen = seen
        self._notice = notice or logging.getLogger("maker_graph").warning
        self._said: set[str] = set()
        self._ids: set[str] = set()  # the first ids that were seen; two are enough
        self._lock = threading.Lock()

    def look(self, samples: Sequence[Sample], earlier: Sequence[Sample] = (), *, drawn: Callable[[int], bool]) -> bool:
        """Look at samples of one step, and return whether different replies are known to have different ids.

        Args:
            samples: new samples, in the order of launch.
            earlier: samples of the same step that were looked at before.
            drawn: returns whether the sample with this index was drawn at a temperature above 0.
        """
        differ = self._differ(samples)
        proven = len({sample.index for sample in samples} & copies((*earlier, *samples), ids_differ=differ))
        long = [sample for sample in samples if len(drawn_text(sample)) >= LONG and drawn(sample.index)]
        same, compared = alike(long, [sample for sample in earlier if drawn(sample.index)]) if long else (0, 0)
        if not proven and not compared:
            return differ
        with self._lock:
            seen = self.seen
            self.seen = seen._replace(proven=seen.proven + proven, same=seen.same + same, compared=seen.compared + compared)
        if proven:
            self._say(_COPIED)
        elif self.seen.suspected:
            self._say(_ALIKE, self.seen.same, self.seen.compared)
        return differ

    def _differ(self, samples: Sequence[Sample]) -> bool:
        if len(self._ids) < 2:
            with self._lock:
                self._ids |= {reply_id(each.id) for each in samples if each.id}
        return len(self._ids) >= 2

    def probed(self, replies: Sequence[Sample]) -> None:
        """Take note of the replies to the probe. Fewer than two replies, or replies of a few words, say nothing."""
        self._differ(replies)
        texts = [sample.text for sample in replies if len(sample.text.strip()) >= PROBED]
        if len(texts) < 2:
            return
        varied = len(set(texts)) > 1
        with self._lock:
            self.seen = self.seen._replace(varied=varied)
        if not varied:
            self._say(UNVARIED)

    def _say(self, sentence: str, *numbers: int) -> None:
        with self._lock:
            if sentence in self._said:
                return
            self._said.add(sentence)
        self._notice(sentence.format(*numbers))


async def probe(sampler: "Sampler") -> bool | None:
    """Draw three samples of a question whose answer is left to chance; return whether they differ, None if that is not clear.

    They are asked like later samples of a step, of one model, one after the other, so that a cache has the first reply. The
    sampler's `copies` takes note.

    Raises:
        LimitReached: they might exceed a limit.
    """
    replies: list[Sample] = []
    try:
        for index in sampler.of_one_model(PROBE, 3):
            replies.append(await sampler.adraw(PROBE, index))  # noqa: PERF401  replies before a failure count
    except ProviderFailure:
        pass  # the run itself will show what is wrong
    sampler.copies.probed(replies)
    return sampler.copies.seen.varied
