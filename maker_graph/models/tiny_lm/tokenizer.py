"""The vocabulary of the tiny model, some forty tokens: numbers from 0 to 20, brackets and commas of lists, and a few words.

All other text in a prompt is dropped, so the model does not see it. A reply can only be made of these tokens.
"""

import re
from collections.abc import Iterable, Sequence

PAD, END, REPLY = 0, 1, 2
"""The tokens for padding, for the end of a reply, and for the end of a prompt, after which the reply follows."""

_WORDS = (
    "]\nnext_state = [[",
    "next_state = [[",
    "Previous move:",
    "Current state:",
    "move = [",
    "another way",
    "], [",
    "[[",
    "]]",
    "[",
    "]",
    ", ",
    " -> ",
    "none",
    "Write",
    "List",
    "top disk",
    "on peg",
)
_NUMBERS = tuple(map(str, range(21)))

VOCABULARY: Sequence[str] = ("", "", "", *_WORDS, *_NUMBERS)
"""The text of each token, by its number."""

WINDOW = 128
"""The most tokens of a prompt that are read, which are its last ones."""

_IDS = {text: number for number, text in enumerate(VOCABULARY) if text}
_TOKEN = re.compile("|".join([r"(?<![\d.])\d{1,9}(?!\d)", *map(re.escape, sorted(_WORDS, key=len, reverse=True))]))


def encode(text: str) -> list[int]:
    """Return the tokens of `text`; all other text is dropped.

    >>> [VOCABULARY[token] for token in encode("Current state: [[3, 2], [], [1]], I think")]
    ['Current state:', '[[', '3', ', ', '2', '], [', '], [', '1', ']]', ', ']
    """
    found = (_IDS.get(match) for match in _TOKEN.findall(text))
    return [token for token in found if token is not None]


def decode(tokens: Iterable[int]) -> str:
    r"""Return the text of `tokens`.

    >>> decode(encode("move = [1, 0, 2]\nnext_state = [[3], [1], [2]]"))
    'move = [1, 0, 2]\nnext_state = [[3], [1], [2]]'
    """
    return "".join(VOCABULARY[token] for token in tokens)


def window(prompt: str) -> list[int]:
    """Return the tokens that the model reads of `prompt`: its last ones, and the mark at its end."""
    return [*encode(prompt)[-(WINDOW - 1) :], REPLY]
