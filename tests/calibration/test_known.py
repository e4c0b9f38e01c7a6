"""What is known before a run: by the calibration that ships or is given, of just these samples, or all of a simulated model."""

import hashlib
from pathlib import Path
from typing import Any

import pytest

from maker_graph.calibration.file import open_calibration
from maker_graph.calibration.known import estimates_for, k_for
from maker_graph.core.emitting import Emit
from maker_graph.core.voting import K, Voting
from maker_graph.errors import UsageError
from maker_graph.models.names import info_of
from maker_graph.models.tiny_lm.engine import WEIGHTS
from maker_graph.tasks.loading import load_task
from tests.calibration.making import request_of, step_of

DISKS = load_task("hanoi", {"disks": 3})


def unheard(text: str) -> None:
    raise AssertionError(text)


def calibrated(path: Path, **changes: Any) -> Path:
    with open_calibration(path, request_of(models=["m:x"], max_tokens={"m:x": 99}, **changes)) as calibration:
        for number in calibration.missing("m:x"):
            calibration.add(step_of(number, 0, 0, 1).model_copy(update={"model": "m:x"}))
        calibration.conclude("m:x", None)
    return path


def test_a_calibration_of_these_samples_is_known(tmp_path: Path) -> None:
    found = estimates_for(DISKS, "m:x", Voting(max_tokens=99), calibrated(tmp_path / "c.jsonl"), unheard)
    assert found is not None
    assert 0 < found.p < 2 / 3, "the lower end of what seven steps show"
    told: list[str] = []
    assert estimates_for(load_task("hanoi", {"disks": 4}), "m:x", Voting(max_tokens=99), tmp_path / "c.jsonl", told.append)
    assert "{'disks': 3}, and this run has {'disks': 4}" in told[0]


@pytest.mark.parametrize(
    ("model", "voting", "changes", "says"),
    [
        ("m:y", Voting(max_tokens=99), {}, "knows m:x, but not m:y: calibrate that first"),
        ("m:x", Voting(max_tokens=98), {}, "--max-tokens 99.*--max-tokens 98"),
        ("m:x", Voting(max_tokens=99, check=False), {}, "--check .*--no-check "),
        ("m:x", Voting(max_tokens=99, temperature=None), {}, "--temperature 0,0.1.*--temperature none"),
        ("m:x", Voting(max_tokens=99, emit=Emit()), {}, "--temperature 0,0.1, and .* 0,0.1 --emit same"),
        ("m:x", Voting(max_tokens=99), {"emit": Emit("m:y", max_tokens=9).to_json()}, r"--emit m:y \(with max_tokens=9\), and"),
        ("m:x", Voting(max_tokens=99, structured=True), {}, "0,0.1, and .* 0,0.1 --structured"),
        ("m:x", Voting(max_tokens=99, stop=("\n",)), {"structured": True}, r"0,0.1 --structured, and .* 0,0.1 --stop '.n'"),
        ("m:x", Voting(max_tokens=99), {"task": "records"}, "a calibration of records, not of hanoi"),
    ],
)
def test_a_calibration_of_other_samples_is_refused(
    tmp_path: Path, model: str, voting: Voting, changes: dict[str, Any], says: str
) -> None:
    with pytest.raises(UsageError, match=says):
        estimates_for(DISKS, model, voting, calibrated(tmp_path / "c.jsonl", **changes), unheard)


def test_a_calibration_with_a_second_call_is_of_runs_that_make_one(tmp_path: Path) -> None:
    emit = Emit(max_tokens=9)
    kept = calibrated(tmp_path / "c.jsonl", emit=emit.to_json())
    assert estimates_for(DISKS, "m:x", Voting(max_tokens=99, emit=emit), kept, unheard) is not None
    assert estimates_for(DISKS, "sim:gpt-4.1-mini", Voting(emit=emit), None, unheard) is None, "its errors would be others"


def test_all_is_known_of_a_simulated_model_and_nothing_of_a_real_one() -> None:
    simulated = estimates_for(DISKS, "sim:gpt-4.1-mini", Voting(), None, unheard)
    assert simulated is not None
    assert simulated.p == 1 - 0.0022
    assert estimates_for(DISKS, "openai:gpt-4.1-mini", Voting(), None, unheard) is None
    assert k_for(DISKS, None, 0.99) == K
    assert k_for(DISKS, simulated, 0.9999) > k_for(DISKS, simulated, 0.9)


def test_the_tiny_model_is_known_where_it_was_calibrated_and_nowhere_else() -> None:
    tens = load_task("hanoi", {"disks": 10})
    suited = info_of("tiny").suited(Voting())
    assert estimates_for(tens, "tiny", suited, None, unheard) is not None
    assert estimates_for(DISKS, "tiny", suited, None, unheard) is None
    assert estimates_for(tens, "tiny", info_of("tiny").suited(Voting(check=False)), None, unheard) is None


def test_the_calibration_that_ships_is_of_the_weights_that_ship() -> None:
    digest = hashlib.sha256(WEIGHTS.read_bytes()).hexdigest()[:16]
    assert digest == "f1cbef6845597f58", (
        "calibrate the new weights (examples/train_tiny_lm/README.md), then put their digest here"
    )
