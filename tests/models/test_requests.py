"""Requests for samples: their seeds, and the settings that go along."""

from maker_graph.models.requests import sample_seed


def test_a_samples_seed_depends_on_seed_prompt_and_index_only() -> None:
    seeds = {sample_seed(seed, prompt, index) for seed in (1, 2) for prompt in ("a", "b") for index in (0, 1)}
    assert len(seeds) == 8
    assert sample_seed(1, "a", 0) == sample_seed(1, "a", 0)
