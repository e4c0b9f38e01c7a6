"""What a calibration has measured, as a person reads it."""

from tests.conftest import Cli


def test_several_models_are_compared_the_cheapest_first_and_it_says_why(cli: Cli) -> None:
    models = ["sim:gpt-4.1-mini", "sim:qwen-3", "sim:llama-3.2-3b"]
    args = [word for model in models for word in ("--model", model)]
    done = cli("calibrate", "hanoi", "--steps", "200", *args, "--out", "c.jsonl", "--target", ".9", COLUMNS="120")
    assert done.returncode == 0, done.stderr
    table = done.stdout[done.stdout.index("steps without an error") :]
    places = [table.index(model) for model in models]
    assert places == sorted(places)
    assert "sim:gpt-4.1-mini is the cheapest: k = " in table
    assert "no k reaches the target with sim:llama-3.2-3b" in " ".join(table.split())
    several = cli("plan", "c.jsonl")
    assert (several.returncode, "--model" in several.stderr) == (2, True)
    assert cli("plan", "c.jsonl", "--model", "sim:qwen-3").returncode == 0
