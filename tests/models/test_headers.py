"""What headers say of a cache, in the words of each gateway."""

import pytest

from maker_graph.models.headers import says_hit, tells_of_cache


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-Cache", "HIT"),
        ("x-cache", "Hit from cloudfront"),
        ("cf-cache-status", "HIT"),
        ("cf-aig-cache-status", "hit"),
        ("helicone-cache", "HIT"),
        ("x-portkey-cache-status", "HIT"),
        ("x-portkey-cache-status", "SEMANTIC HIT"),
        ("x-litellm-cache-key", "3f2a"),
        ("x-cache-hit", "true"),
        ("cache-status", "edge; hit; ttl=30"),
        ("Age", "12"),
    ],
)
def test_a_cache_that_answered_is_heard(name: str, value: str) -> None:
    assert tells_of_cache(name)
    assert says_hit(name, value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x-cache", "MISS"),
        ("cf-cache-status", "DYNAMIC"),
        ("x-cache", "white"),
        ("age", "0"),
        ("age", "00"),
        ("age", "soon"),
        ("x-cache-hit", "false"),
        ("x-litellm-cache-key", "None"),
        ("x-prompt-cache-hit", "true"),
        ("x-prefix-cache", "hit"),
        ("kv-cache-tokens", "hit"),
        ("content-type", "hit"),
    ],
)
def test_one_that_did_not_or_that_keeps_prompts_only_is_not(name: str, value: str) -> None:
    assert not says_hit(name, value)
