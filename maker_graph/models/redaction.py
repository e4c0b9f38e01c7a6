"""Takes API keys out of what providers and clients say, before it is kept or shown.

From an error, everything that looks like a key is taken out. A reply is the user's data, so only the keys themselves are taken
out of it, unless they are words that a reply may well hold: many users' own servers have keys such as "any" or "not-needed".

A key is found as it is, and in other forms of text: in capitals or small letters, broken by blanks, line ends or characters
that nobody can see, in a URL, in JSON, in HTML, in base64 and in hexadecimal digits. A server that wants to hide a key in its
replies can still do so.
"""

import base64
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any

from langchain_core.messages import AIMessage
from pydantic import SecretStr

SHORTEST = 8
"""The fewest characters of a key that is taken out; a shorter one may be an ordinary word."""

LONGEST = 2**17
"""The most characters of a text in which escapes are read. Longer samples and errors are not kept."""

_SECRET = re.compile(r"(?=.*[0-9])(?=.*[A-Za-z])\S{12,}|\S{20,}")
_NAMED_SECRET = re.compile(r"auth|key|token|secret|password|cookie", re.IGNORECASE)
_LIKE_A_KEY = re.compile(r"\b(Bearer )?sk-[\w*-]+|\bBearer [\w.~+/*-]+=*")

_UNSEEN = bytes({*range(0x21), 0x7F})
_ENTITIES = {b"amp": b"&", b"quot": b'"', b"apos": b"'", b"lt": b"<", b"gt": b">"}
_ESCAPE = re.compile(
    rb"%(?:25)*(?P<url>[0-9a-f]{2})|\\+u00(?P<json>[2-7][0-9a-f])|\\+x(?P<hex>[2-7][0-9a-f])|\\+u[0-9a-f]{4}|\\+[nrtbf0]|\\+"
    rb"|&#x0*(?P<hexhtml>[2-7][0-9a-f]);?|&#0*(?P<html>[0-9]{2,3});?|&(?P<name>amp|quot|apos|lt|gt);"
)
_BETWEEN = r"(?:[^\x21-\x7e]|\\+u(?!00[2-7])[0-9a-f]{4}|%(?:25)*[0189a-f][0-9a-f]|\\+[nrtbf0])*"
"""What may stand between two characters of a plain key: anything but visible ASCII characters, also as an escape."""

_BROKEN = r"(?:\s|\\+[nr])*"
"""What may stand between two characters of an encoded key: the end of a line."""


def redacted(text: str, keys: Sequence[str] = ()) -> str:
    """Return `text` without `keys`, which a provider may repeat, and without anything that looks like an API key.

    >>> redacted("Invalid key: Bearer sk-123, or canary-42", ["canary-42"])
    'Invalid key: Bearer [key], or [key]'
    """
    return _LIKE_A_KEY.sub(lambda match: f"{match[1] or ''}[key]", _without(text, keys))


def without_keys(text: str, keys: Sequence[str]) -> str:
    """Return a reply, or its JSON, without those of `keys` that cannot be there by chance.

    >>> without_keys("Authorization: Bearer canary-0123456789", ["canary-0123456789"])
    'Authorization: Bearer [key]'
    >>> without_keys("A key is not-needed.", ["not-needed"])
    'A key is not-needed.'
    """
    return _without(text, [key for key in keys if _SECRET.fullmatch(key)])


def clean(value: Any, keys: Sequence[str], depth: int = 50) -> Any:
    """Return plain data with `without_keys` applied to each text in it; what is nested deeper than `depth` is left out."""
    if isinstance(value, str):
        return without_keys(value, keys)
    if isinstance(value, list):
        return [clean(each, keys, depth - 1) for each in value] if depth else None
    if isinstance(value, Mapping):
        return {clean(key, keys): clean(each, keys, depth - 1) for key, each in value.items()} if depth else None
    return value


def message_without_keys(message: AIMessage, keys: Sequence[str]) -> AIMessage:
    """Return a model's message with `without_keys` applied to all its texts.

    A key that is spread over several parts of the content is found later, in the text of the sample.
    """
    parts = ("content", "additional_kwargs", "response_metadata", "tool_calls", "invalid_tool_calls")
    return message.model_copy(update={part: clean(getattr(message, part), keys) for part in parts}) if keys else message


def keys_of(model: Any) -> list[str]:
    """Return the API keys of `model`, from its fields and from the environment variables that it names."""
    fields = {name: getattr(model, name, None) for name in type(model).model_fields}
    keys: list[Any] = [value.get_secret_value() for value in fields.values() if isinstance(value, SecretStr)]
    keys += [value for name, value in fields.items() if re.search(r"(api_?key|secret|token)$", name) and isinstance(value, str)]
    keys += [os.environ.get(name) for name in getattr(model, "lc_secrets", {}).values()]
    keys.append(getattr(getattr(model, "root_client", None), "api_key", None))
    return sorted({key for key in keys if isinstance(key, str) and len(key) >= SHORTEST}, key=len, reverse=True)


def sent_keys(request: Any) -> list[str]:
    """Return the keys in the headers and in the address of an HTTP request."""
    carried = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw]
    carried += request.url.params.multi_items() if request.url.query else ()
    found = {key for name, value in carried if _NAMED_SECRET.search(name) for key in _parts(value)}
    return sorted((key for key in found if len(key) >= SHORTEST), key=len, reverse=True)


def keys_of_the_environment() -> list[str]:
    """Return the API keys in the environment variables, for text that may hold the keys of any provider."""
    found = {value for name, value in os.environ.items() if re.search(r"(API_?KEY|SECRET|TOKEN)$", name)}
    return sorted((key for key in found if len(key) >= SHORTEST), key=len, reverse=True)


def _parts(value: str) -> Iterator[str]:
    """Yield the possible keys in the value of a header: a token, a password, each value of a cookie."""
    scheme, _, rest = value.partition(" ")
    if scheme.lower() == "basic":
        with suppress(ValueError):
            yield base64.b64decode(rest).decode().partition(":")[2]
    for part in re.split(r"[\s;,]+", value):
        yield part
        yield part.partition("=")[2]


def _without(text: str, keys: Sequence[str]) -> str:
    """Return `text` without `keys` in any of their forms."""
    if not keys or len(text) < SHORTEST:
        return text
    for key in keys:
        if _holds(text, key):
            text = text.replace(key, "[key]")  # the usual form, which is quick
            text = _pattern(key).sub("[key]", text) if _holds(text, key) else text
            text = "[key]" if _holds(text, key) else text  # if the key is still in there, nothing is kept
    return text


def _holds(text: str, key: str) -> bool:
    bare = _bare(text)
    return any(form in bare for form in _forms(key))


@lru_cache(maxsize=8)  # a reply is checked several times
def _bare(text: str) -> bytes:
    """Return the visible ASCII characters of `text`, in small letters and with escapes resolved."""
    bare = text.encode("ascii", "ignore").translate(None, _UNSEEN).lower()
    escaped = (b"\\" in bare or b"%" in bare or b"&" in bare) and len(bare) <= LONGEST
    return _ESCAPE.sub(_unescaped, bare) if escaped else bare


def _unescaped(match: re.Match[bytes]) -> bytes:
    digits = match["url"] or match["json"] or match["hex"] or match["hexhtml"]
    code = int(digits, 16) if digits else int(match["html"]) if match["html"] else 0
    return bytes([code]).lower() if 0x20 < code < 0x7F else _ENTITIES.get(match["name"], b"")


@lru_cache(maxsize=64)
def _forms(key: str) -> Sequence[bytes]:
    """Return the forms of a key that a result of `_bare` may hold, plain and encoded."""
    return [_bare(key), *(form.lower().encode() for form in _encoded(key))]


def _encoded(key: str) -> list[str]:
    """Return a key in base64, for each place at which it may begin, and in hexadecimal digits."""
    raw = key.encode("utf-8", "surrogatepass")
    shifted = [base64.b64encode(bytes(shift) + raw).decode().rstrip("=") for shift in range(3)]
    # The characters at the ends also encode what comes before or after.
    inner = [
        text[first : -1 if (shift + len(raw)) % 3 else None]
        for shift, (text, first) in enumerate(zip(shifted, (0, 2, 3), strict=True))
    ]
    return [*inner, *(text.translate(str.maketrans("+/", "-_")) for text in inner), raw.hex()]


@lru_cache(maxsize=16)
def _pattern(key: str) -> re.Pattern[str]:
    """Return a pattern that finds a key in all its forms; for a long key it takes 0.2 s to make, and is seldom needed."""
    plain = _BETWEEN.join(map(_written, _bare(key).decode()))
    encoded = (f"[a-z0-9+/_-]{{0,3}}{_BROKEN.join(map(re.escape, form))}[a-z0-9+/_-]{{0,3}}=*" for form in _encoded(key))
    return re.compile("|".join([plain, *encoded]), re.IGNORECASE)


def _written(character: str) -> str:
    """Return a pattern of the forms in which a visible ASCII character is written."""
    code = ord(character)
    digits = {f"{code:02x}", f"{ord(character.upper()):02x}"}
    hexadecimal, decimal = "|".join(sorted(digits)), "|".join(sorted({str(code), str(ord(character.upper()))}))
    names = [f"&{name.decode()};" for name, meant in _ENTITIES.items() if meant == character.encode()]
    escapes = [
        rf"%(?:25)*(?:{hexadecimal})",
        rf"\\+(?:u00|x)(?:{hexadecimal})",
        rf"&#x0*(?:{hexadecimal});?",
        rf"&#0*(?:{decimal});?",
    ]
    return "(?:" + "|".join([rf"\\*{re.escape(character)}", *escapes, *names]) + ")"
