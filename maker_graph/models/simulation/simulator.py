"""A simulated model: it sees a prompt and a seed, and answers like a fallible model.

It is no evidence about any real model, because it errs as its profile says. Its samples depend only on the prompt, its own seed
and the seed of the request, never on the order or the number of calls.
"""

import asyncio
import hashlib
import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice
from typing import Literal

from maker_graph.core.copies import PROBE
from maker_graph.core.emitting import REASON, notes_in
from maker_graph.core.red_flags import estimated_tokens
from maker_graph.errors import MakerError, UsageError
from maker_graph.models.simulation.hanoi import HanoiRehearsal
from maker_graph.models.simulation.profiles import Profile
from maker_graph.models.simulation.records import RecordsRehearsal
from maker_graph.models.simulation.rehearsal import DraftRehearsal, Messages, Rehearsal, Replies, replies_of

LATENCY_SIGMA = 0.4
"""The sigma of the lognormal latencies."""

DRAFT_TOKENS = 15
"""Output tokens of each answer in a draft."""

LONGEST_DRAFT = 256
"""The most answers in a draft. The prompt asks for a number, and may come from anybody."""

DRAFT_LATENCY = (0.3, 0.03)
"""The time of a draft, in latencies of a reply: a fixed part, and a part for each answer (15 tokens; a reply has 538)."""

RAMBLING = 2500
"""Output tokens of a reply that runs too long, if nothing cuts it."""


REMEMBERED = 256
"""How many prompts' replies are remembered for the next samples of the same step. This only saves time."""

LEARNED = 8192
"""For how many prompts, the latest ones, a model keeps what it was told. Fewer are under way at once."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply of the simulated model.

    Attributes:
        text: the reply, cut short if `finish` is "length".
        finish: how it ended, in OpenAI's words.
        refusal: the text of a refusal, or None.
        input_tokens: an estimate from the prompt.
        output_tokens: a number drawn from the profile, at most the cap of the request; not the length of `text`.
        seconds: how long the reply takes.
    """

    text: str
    finish: Literal["stop", "length"]
    refusal: str | None
    input_tokens: int
    output_tokens: int
    seconds: float


class _Lesson:
    """What a model was told of one prompt: a function that makes the replies when they are needed."""

    __slots__ = ("_make", "_replies")

    def __init__(self, make: Callable[[], Replies]) -> None:
        self._make = make
        self._replies: Replies | None = None

    def replies(self) -> Replies:
        if self._replies is None:
            try:
                said = self._make()
            except MakerError:  # its text says what is missing
                raise
            except Exception as error:
                raise _failing("rehearse", error) from error
            self._replies = replies_of(said)
        return self._replies


class Simulator:
    """A model that errs as `profile` says.

    `seed` fixes the difficulty of each step, so that a prompt is equally hard in every sample. If a request has no seed, the
    sample is left to chance.
    """

    def __init__(self, profile: Profile, *, seed: int = 0, rehearsals: Sequence[Rehearsal] = ()) -> None:
        self.profile = profile
        self.seed = seed
        self._rehearsals = (*rehearsals, HanoiRehearsal(), RecordsRehearsal())
        self._drafting = [each for each in self._rehearsals if isinstance(each, DraftRehearsal)]
        self._remembered = lru_cache(REMEMBERED)(self._rehearsed)
        self._lessons: dict[tuple[tuple[str, str], ...], _Lesson] = {}
        self._reasoned: dict[tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]] = {}
        self._lock = threading.Lock()
        self._difficulty = lru_cache(REMEMBERED)(self._drawn_difficulty)

    @property
    def name(self) -> str:
        """Return the name of the profile."""
        return self.profile.name

    async def serve(
        self,
        prompt: Messages,
        /,
        *,
        seed: int | None,
        max_tokens: int | None,
        temperature: float | None = None,  # noqa: ARG002  it has no effect
        stop: Sequence[str] = (),
    ) -> Reply:
        """Return one sample of `prompt` after its latency; see `reply`."""
        reply = self.reply(prompt, seed=seed, max_tokens=max_tokens, stop=stop)
        await asyncio.sleep(reply.seconds)
        return reply

    def reply(self, prompt: Messages, *, seed: int | None, max_tokens: int | None, stop: Sequence[str] = ()) -> Reply:
        """Return one sample of `prompt`, which ends before the first of the texts in `stop`.

        Raises:
            UsageError: no rehearsal knows the prompt.
        """
        return _stopped(self._whole(prompt, seed, max_tokens), stop)

    def _whole(self, prompt: Messages, seed: int | None, max_tokens: int | None) -> Reply:
        profile = self.profile
        if (draft := self._draft(prompt, seed, max_tokens)) is not None:
            return draft
        if prompt and prompt[-1][1] == PROBE:
            return self._chance(prompt, seed)
        if prompt and (notes := notes_in(prompt[-1][1])) is not None:
            return self._written(prompt, notes)
        asked, prompt = prompt, self._reasoned.get(_hashable(prompt)) or _asked_to_reason(prompt)
        rng = random.Random() if seed is None else _rng("sample", self.seed, seed, prompt)  # noqa: S311  no secret
        refused = malformed = False
        fate = rng.random()
        tokens = round(profile.output_tokens * rng.uniform(0.75, 1.25))
        if fate < 0.5 * profile.flagged:
            tokens = RAMBLING
        elif fate < profile.flagged:
            refused = fate >= 0.9 * profile.flagged
            malformed = not refused
        text = "" if refused else self._text(prompt, rng)
        if malformed:
            text = text[: len(text) // 3] if prompt is asked else self._guessed(prompt, rng)
        finish: Literal["stop", "length"] = "stop"
        if max_tokens is not None and tokens > max_tokens:
            tokens, finish, text = max_tokens, "length", text[: len(text) // 3]
        return Reply(
            text=text,
            finish=finish,
            refusal="I cannot help with that." if refused else None,
            input_tokens=estimated_tokens("".join(content for _, content in asked)),
            output_tokens=12 if refused else tokens,
            seconds=profile.latency * rng.lognormvariate(0, LATENCY_SIGMA) if profile.latency else 0.0,
        )

    def _draft(self, prompt: Messages, seed: int | None, max_tokens: int | None) -> Reply | None:
        """Return a draft if `prompt` asks for one; a draft has no red flags."""
        profile = self.profile
        rng: random.Random | None = None

        def slips() -> bool:
            nonlocal rng
            if rng is None:
                rng = random.Random() if seed is None else _rng("draft", self.seed, seed, prompt)  # noqa: S311  no secret
            return rng.random() < profile.draft_error

        most = LONGEST_DRAFT if max_tokens is None else min(LONGEST_DRAFT, max_tokens // DRAFT_TOKENS)
        lines = self._lines(prompt, slips, most)
        if lines is None:
            return None
        fixed, each = DRAFT_LATENCY
        latency = profile.latency * (fixed + each * len(lines))
        return Reply(
            text="\n".join(lines),
            finish="stop",
            refusal=None,
            input_tokens=estimated_tokens("".join(content for _, content in prompt)),
            output_tokens=DRAFT_TOKENS * len(lines),
            seconds=latency * (rng or random.Random()).lognormvariate(0, LATENCY_SIGMA) if latency else 0.0,  # noqa: S311
        )

    def _lines(self, prompt: Messages, slips: Callable[[], bool], most: int) -> list[str] | None:
        for rehearsal in self._drafting:
            try:
                found = rehearsal.draft(prompt, slips)
                if found is not None:
                    return list(islice(found, most))
            except Exception as error:
                raise _failing(type(rehearsal).__name__, error) from error
        return None

    def _chance(self, prompt: Messages, seed: int | None) -> Reply:
        """Return forty random words, as any model can."""
        rng = random.Random() if seed is None else _rng("probe", self.seed, seed, prompt)  # noqa: S311  no secret
        text = " ".join("".join(rng.choices("aeioubdfgklmnprst", k=6)) for _ in range(40))
        return Reply(text, "stop", None, estimated_tokens(PROBE), 80, self.profile.latency)

    def learn(self, prompt: Messages, make: Callable[[], Replies]) -> None:
        """Remember that `make` returns the replies to `prompt`; it is called only when the prompt is first asked.

        This is kept for the latest 8,192 prompts, and takes precedence over all rehearsals.
        """
        known = _hashable(prompt)
        with self._lock:
            self._lessons.pop(known, None)
            self._lessons[known] = _Lesson(make)
            if len(self._lessons) > LEARNED:
                del self._lessons[next(iter(self._lessons))]

    def reason(self, prompt: Messages, of: Messages) -> None:
        """Remember that `prompt` asks to reason freely about the question in the prompt `of`.

        The reply is the answer to `of`. If the reply to `of` would have been malformed, the model is confused and guesses: a
        free form hides the confusion, but does not make the answer right.
        """
        with self._lock:
            self._reasoned[_hashable(prompt)] = _hashable(of)
            if len(self._reasoned) > LEARNED:
                del self._reasoned[next(iter(self._reasoned))]

    def _written(self, prompt: Messages, notes: str) -> Reply:
        """Return what notes say, written down without a further error."""
        read, tokens = (estimated_tokens(text) for text in ("".join(content for _, content in prompt), notes))
        return Reply(notes, "stop", None, read, tokens, self.profile.latency * tokens / max(1, self.profile.output_tokens))

    def _guessed(self, prompt: Messages, rng: random.Random) -> str:
        """Return one of the replies to `prompt` at random, each with the same probability."""
        replies = self._replies(prompt)
        return rng.choice([replies.right, *replies.wrong])

    def knows(self, prompt: Messages) -> None:
        """Make sure that a rehearsal knows `prompt`.

        Raises:
            UsageError: none does; the error says what to do.
        """
        self._replies(prompt)

    def difficulty(self, prompt: Messages, error: float | None = None) -> float:
        """Return the probability that a valid sample of `prompt` is wrong; `error` replaces the profile's mean."""
        mean = self.profile.error if error is None or self.profile.error == 0 else error
        return self._difficulty(_hashable(prompt), mean)

    def _drawn_difficulty(self, prompt: tuple[tuple[str, str], ...], mean: float) -> float:
        rho = self.profile.rho
        if rho == 0 or mean in {0, 1}:
            return mean
        weight = 1 / rho - 1  # alpha + beta of a Beta distribution with within-step correlation rho
        return _rng("difficulty", self.seed, 0, prompt).betavariate(mean * weight, (1 - mean) * weight)

    def _text(self, prompt: Messages, rng: random.Random) -> str:
        replies = self._replies(prompt)
        if rng.random() >= self.difficulty(prompt, replies.error):
            return replies.right
        if not replies.wrong:
            raise UsageError(
                "A wrong reply is due, but none was rehearsed for this prompt: name at least one in `Replies.wrong`."
            )
        if rng.random() < self.profile.favourite or len(replies.wrong) == 1:
            return replies.wrong[0]
        return rng.choice(replies.wrong[1:])

    def _replies(self, prompt: Messages) -> Replies:
        known = _hashable(prompt)
        lesson = self._lessons.get(known)
        return self._remembered(known) if lesson is None else lesson.replies()

    def _rehearsed(self, prompt: tuple[tuple[str, str], ...]) -> Replies:
        for rehearsal in self._rehearsals:
            try:
                said = rehearsal.replies(prompt)
            except Exception as error:
                raise _failing(type(rehearsal).__name__, error) from error
            if said is not None:
                return replies_of(said)
        raise UsageError(
            "A simulated model does not know this prompt: use a real model, or tell it the answer. It knows the prompts of "
            "hanoi and records, and what it is told: by the task, in a function rehearse(state) that returns "
            "Replies(right, wrong) or in an object rehearsal (see maker_graph.simulation), or by simulated(profile, "
            "answers)."
        )


def _stopped(reply: Reply, stop: Sequence[str]) -> Reply:
    """Return a reply cut before the first of the texts in `stop`, with fewer output tokens if it was cut."""
    found = [at for text in stop if text and (at := reply.text.find(text)) >= 0]
    if not found:
        return reply
    text = reply.text[: min(found)]
    return replace(reply, text=text, finish="stop", output_tokens=-(-reply.output_tokens * len(text) // len(reply.text)))


def _failing(name: str, error: Exception) -> UsageError:
    return UsageError(f"{name} failed on this prompt: {type(error).__name__}: {error}.")


def _asked_to_reason(prompt: Messages) -> Messages:
    """Return the question of a prompt that ends with the shipped request to reason; any other prompt as it is."""
    if not prompt or not prompt[-1][1].endswith(f"\n\n{REASON}"):
        return prompt
    *before, (role, content) = prompt
    return (*before, (role, content.removesuffix(f"\n\n{REASON}")))


def _hashable(prompt: Messages) -> tuple[tuple[str, str], ...]:
    return tuple((role, content) for role, content in prompt)


def _rng(kind: str, seed: int, request: int, prompt: Messages) -> random.Random:
    text = f"({kind!r}, {seed!r}, {request!r}, {_shown(_hashable(prompt))})"
    digest = hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=16)
    return random.Random(digest.digest())  # noqa: S311  no secret


@lru_cache(REMEMBERED)
def _shown(prompt: tuple[tuple[str, str], ...]) -> str:
    return repr(list(prompt))
