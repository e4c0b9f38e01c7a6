r"""Characters that nobody can see: which they are, and where they are allowed all the same.

Two answers that differ but look the same would split a vote, and a person cannot check what cannot be seen. So an answer may
not hold

- control characters (category Cc) other than \t, \n and \r, and lone surrogates (Cs);
- the characters that Unicode calls default-ignorable, which are shown as nothing, and the other format characters (Cf). The
  signs that Arabic, Syriac and Kaithi write around numbers are Cf too. They are allowed, because they are visible.

Some of these characters make a visible difference in certain places. They are allowed only there:

- U+200D and U+200C between two letters of scripts whose letters join, from Arabic to Khmer and Mongolian;
- U+200D, U+FE0E, U+FE0F and tags inside of an emoji;
- variation selectors after an ideograph, as in Japanese names;
- the marks U+200E, U+200F and U+061C in a text that holds right-to-left letters. Overrides, embeddings and isolates are never
  allowed.

The ranges are written out, so that all versions of Python agree. A test compares them with Python's own tables.
"""

import re

MANY = 1_000
"""If a text has more of these characters, and some are misplaced, all are shown as escapes. No person writes such a text."""

_CONTROL = r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff"
_IGNORABLE = (
    r"\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff"
    r"\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_FORMAT = r"\ufff9-\ufffb\U00013430-\U0001343f"
_UNSEEN = f"[{_CONTROL}{_IGNORABLE}{_FORMAT}]"

_JOINING = (
    r"[\u0620-\u08ff\u0900-\u0dff\u0f00-\u109f\u1780-\u17b3\u17b6-\u180a\u1810-\u1aff\u1b00-\u1c4f\ua800-\uabff\ufb50-\ufdff"
    r"\ufe70-\ufefc\U00010840-\U00010fff\U00011000-\U00011fff\U0001e900-\U0001e95f]"
)
_PICTURE = (
    r"[\u00a9\u00ae\u203c\u2049\u2122\u2139\u2194-\u21aa\u231a-\u23ff\u24c2\u25aa-\u27bf\u2934\u2935\u2b05-\u2b55\u3030\u303d"
    r"\u3297\u3299\U0001f000-\U0001faff]"
)
_EMOJI = rf"{_PICTURE}[\ufe0e\ufe0f]?[\U0001f3fb-\U0001f3ff]?"
_IDEOGRAPH = r"[\u2e80-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
_MARK = r"[\u200e\u200f\u061c]"
_BELONGS = (
    r"(?:\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{3,6}\U000e007f)+",  # the flags of England, Scotland and Wales
    rf"{_EMOJI}(?:\u200d?{_EMOJI})*",
    r"(?:[0-9#*]\ufe0f\u20e3)+",
    rf"{_JOINING}(?:[\u200c\u200d]{_JOINING})+",
    rf"(?:{_IDEOGRAPH}[\ufe00-\ufe02\U000e0100-\U000e01ef])+",
)

_SUSPECT = re.compile(_UNSEEN)
_LEFT_TO_RIGHT = re.compile("|".join((*_BELONGS, f"(?P<unseen>{_UNSEEN}+)")))
_RIGHT_TO_LEFT = re.compile("|".join((*_BELONGS, f"{_MARK}+", f"(?P<unseen>(?:(?!{_MARK}){_UNSEEN})+)")))
_RIGHT_TO_LEFT_LETTER = re.compile(
    r"[\u05d0-\u05f4\u0620-\u064a\u066e-\u06d5\u06ee-\u08c9\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff]"
)
_CONTROLS = re.compile(f"[{_CONTROL}]+")


def unseen(text: str) -> str | None:
    r"""Return the first character in `text` that cannot be seen and does not belong where it stands, as an escape.

    >>> print(unseen("5 Elm\u200b St."))
    \u200b
    >>> unseen("\U0001f468\u200d\U0001f469\u200d\U0001f467, a family") is None
    True
    """
    if (text.isascii() and text.isprintable()) or _SUSPECT.search(text) is None:
        return None
    return next((_escape(match["unseen"][0]) for match in _parts(text).finditer(text) if match["unseen"]), None)


def visible(text: str) -> str:
    r"""Return `text` with each character that `unseen` finds as an escape that can be seen.

    >>> visible("\x1b[2J\u202e") == r"\x1b[2J\u202e"
    True
    """
    if unseen(text) is None:
        return text
    found = _SUSPECT.findall(text)
    if len(found) > MANY:
        return text.translate({ord(character): _escape(character) for character in set(found)})
    return _parts(text).sub(lambda match: _escape(match[0]) if match["unseen"] else match[0], text)


def without_unseen(text: str) -> str:
    r"""Return `text` without the characters that `unseen` finds: texts that look the same then are the same.

    >>> without_unseen("ci\u00adty\u200b")
    'city'
    """
    return text if unseen(text) is None else _parts(text).sub(lambda match: "" if match["unseen"] else match[0], text)


def without_controls(text: str) -> str:
    r"""Return `text` with lone surrogates and control characters, except \t, \n and \r, as escapes that can be seen.

    >>> without_controls("\x00") == r"\x00"
    True
    """
    return _CONTROLS.sub(lambda match: _escape(match[0]), text)


def _parts(text: str) -> re.Pattern[str]:
    """Return the pattern that finds, in `text`, unseen characters, both where they belong and where they do not."""
    return _LEFT_TO_RIGHT if _RIGHT_TO_LEFT_LETTER.search(text) is None else _RIGHT_TO_LEFT


class _Escapes(dict[int, str]):
    """Code point -> its escape, which is made when it is first asked for."""

    def __missing__(self, number: int) -> str:
        form = "\\x{:02x}" if number < 0x100 else "\\u{:04x}" if number < 0x10000 else "\\U{:08x}"
        return self.setdefault(number, form.format(number))


_ESCAPES = _Escapes()


def _escape(characters: str) -> str:
    return characters.translate(_ESCAPES)
