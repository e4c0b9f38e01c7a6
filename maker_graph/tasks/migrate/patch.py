"""Edits as a patch for `git apply` and `patch -p1`. Lines are bytes, so encodings and line ends stay as they are."""

import difflib
from collections.abc import Iterator

_ESCAPES = {7: "\\a", 8: "\\b", 9: "\\t", 10: "\\n", 11: "\\v", 12: "\\f", 13: "\\r", 34: '\\"', 92: "\\\\"}


def patch_of(path: str, before: bytes, after: bytes) -> bytes:
    r"""Return the patch of one file; empty if nothing is changed.

    >>> print(patch_of("a.py", b"x\ny", b"x\nz").decode(), end="")
    diff --git a/a.py b/a.py
    --- a/a.py
    +++ b/a.py
    @@ -1,2 +1,2 @@
     x
    -y
    \ No newline at end of file
    +z
    \ No newline at end of file
    """
    if before == after:
        return b""
    old, new = _quoted(f"a/{path}"), _quoted(f"b/{path}")
    mark = "\t" if " " in path else ""
    lines = difflib.unified_diff(_lines(before), _lines(after), lineterm="")
    next(lines), next(lines)
    head = f"diff --git {old} {new}\n--- {old}{mark}\n+++ {new}{mark}\n".encode()
    return head + b"".join(_ended(line) for line in lines)


def _lines(content: bytes) -> list[str]:
    return [line.decode("latin-1") for line in _split(content)]


def _split(content: bytes) -> Iterator[bytes]:
    """Yield lines as patch programs understand them: they end only at a line feed."""
    begin = 0
    while begin < len(content):
        end = content.find(b"\n", begin) + 1 or len(content)
        yield content[begin:end]
        begin = end


def _ended(line: str) -> bytes:
    content = line.encode("latin-1")
    if line.startswith("@@"):
        return content + b"\n"
    return content if content.endswith(b"\n") else content + b"\n\\ No newline at end of file\n"


def _quoted(name: str) -> str:
    """Return a name as git writes it: in quotes and with escapes if it holds unusual characters."""
    content = name.encode()
    if all(32 <= byte < 127 and byte not in {34, 92} for byte in content):
        return name
    return '"' + "".join(_ESCAPES.get(byte) or (chr(byte) if 32 <= byte < 127 else f"\\{byte:03o}") for byte in content) + '"'
