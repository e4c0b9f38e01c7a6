"""What the headers of a response say about a cache. Gateways, content networks and HTTP itself have different headers.

Cloudflare sends `cf-cache-status` and `cf-aig-cache-status`, Helicone `helicone-cache`, Portkey `x-portkey-cache-status`,
LiteLLM `x-litellm-cache-key` (only if it answers itself), many others `x-cache`. HTTP has `cache-status` and `age`. A
provider's cache of prompts does not count, because it does not answer requests.
"""

import re

_OF_PROMPTS = re.compile(r"prompt|prefix|token|kv")
_HIT = re.compile(r"(?<![a-z])hit(?![a-z])")


def tells_of_cache(name: str) -> bool:
    """Say whether a header of this name may say that a cache answered."""
    name = name.lower()
    return name == "age" or ("cache" in name and _OF_PROMPTS.search(name) is None)


def says_hit(name: str, value: str) -> bool:
    """Say whether a header says that a cache answered in the model's place.

    >>> says_hit("X-Cache", "Hit from cloudfront"), says_hit("cf-cache-status", "DYNAMIC"), says_hit("age", "12")
    (True, False, True)
    """
    name, value = name.lower(), value.strip().lower()
    if not tells_of_cache(name):
        return False
    if name == "age":
        return value.isascii() and value.isdigit() and value.strip("0") != ""
    return (
        _HIT.search(value) is not None
        or (name.endswith("hit") and value in {"1", "true", "yes"})
        or (name == "x-litellm-cache-key" and value not in {"", "none"})
    )
