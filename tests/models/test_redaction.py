"""No API key is kept or shown."""

from maker_graph.models.redaction import redacted
from tests.models.serving import KEY


def test_a_key_that_the_client_knows_is_found_in_it() -> None:
    assert redacted(f"a {KEY} b", [KEY]) == "a [key] b"
