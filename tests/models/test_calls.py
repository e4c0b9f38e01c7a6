"""A request, as it is told to whoever keeps accounts."""

from maker_graph.core.red_flags import Sample
from maker_graph.models.calls import Call


def test_what_a_call_used_is_what_its_sample_says() -> None:
    call = Call([("user", "?")], "m", 0.1, Sample(3, "yes", input_tokens=9, output_tokens=4, cached_tokens=5))
    assert call.usage == {"input": 9, "cached": 5, "output": 4}
    assert call.name == "sample"
