"""How large a trace becomes: never larger than LangSmith takes, whatever k is."""

import pytest

from maker_graph.run.traces import RUNS_PER_TRACE, STEPS_PER_TRACE, samples_per_trace, steps_per_trace


@pytest.mark.parametrize("max_samples", [1, 100, 1000, 3000])
@pytest.mark.parametrize("k", [1, 3, 10, 100])
def test_a_segment_that_ends_at_its_samples_keeps_to_the_size_of_a_trace(k: int, max_samples: int) -> None:
    steps = steps_per_trace(k, max_samples)
    assert 1 <= steps <= STEPS_PER_TRACE
    most = samples_per_trace(max_samples) + max_samples  # the step that reaches the limit may draw as many
    assert 3 + 4 * steps + 4 * most <= RUNS_PER_TRACE, "a sample is two runs, and its round two at most"


def test_more_votes_a_step_are_fewer_steps_a_trace() -> None:
    steps = [steps_per_trace(k, 100) for k in (1, 3, 10, 30, 100, 10_000)]
    assert steps == sorted(steps, reverse=True)
    assert (steps[0], steps[-1]) == (STEPS_PER_TRACE, 1)
