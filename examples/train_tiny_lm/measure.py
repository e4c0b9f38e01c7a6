"""Measures how often the tiny model errs, by disks, by step and by temperature, and writes it into `figures.json`.

    python examples/train_tiny_lm/measure.py --json

It needs no PyTorch, because it measures the model that ships. Figures named *not right* are exact: they are computed
from the probabilities of the tokens of the right reply. The other figures are counted in samples. A *wrong* sample can
be read, and its answer breaks the task's check. A *legal* one passes the check, but its answer is not the right one.
The figures by step count both as wrong. A *malformed* sample cannot be read, or was cut.
"""

import argparse
import json
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from maker_graph.core.canonical import canonical
from maker_graph.models.tiny_lm import Ask, shared_engine
from maker_graph.models.tiny_lm.engine import WEIGHTS
from maker_graph.models.tiny_lm.network import Network, load
from maker_graph.models.tiny_lm.tokenizer import END, encode, window
from maker_graph.tasks import Hanoi

FIGURES = Path(__file__).with_name("figures.json")
PEGS = [(source, target) for source in range(3) for target in range(3) if source != target]
TEMPERATURES = (0.1, 0.5, 1.0)
HARDEST = 40


class Case(NamedTuple):
    """One step of a puzzle, which the model is asked about."""

    task: Hanoi
    step: int

    def prompt(self) -> str:
        """Return what is asked."""
        prompt: Any = self.task.prompt(self.task.state_at(self.step))
        return str(prompt[-1][1])

    def right(self) -> str:
        """Return the right reply."""
        answer = self.task.truth(self.task.state_at(self.step))
        return f"move = {answer['move']}\nnext_state = {answer['next_state']}"

    def judged(self, text: str) -> tuple[str, str]:
        """Return the kind of a reply, and the vote that it would be."""
        try:
            answer: Any = self.task.parse(text)
        except ValueError:
            return "malformed", ""
        state = self.task.state_at(self.step)
        vote = canonical(answer)
        if answer == self.task.truth(state):
            return "right", vote
        return ("legal" if self.task.check(state, answer) else "wrong"), vote


def not_right(network: Network, cases: Sequence[Case], temperature: float) -> list[float]:
    """Return for each case the exact share of samples that are not right."""
    result: list[float] = []
    for start in range(0, len(cases), 64):
        part = cases[start : start + 64]
        reads = [window(case.prompt()) for case in part]
        rights = [[*encode(case.right()), END] for case in part]
        logits, read = network.read(reads)
        memory = network.memory(len(part))
        for row in range(len(part)):
            memory.take(row, read, row)
        logs = np.zeros(len(part))
        for place in range(max(map(len, rights))):
            scaled = logits.astype(np.float64) / temperature
            scaled[:, [0, 2]] = -np.inf
            token = np.array([right[place] if place < len(right) else END for right in rights])
            each = scaled[np.arange(len(part)), token] - np.logaddexp.reduce(scaled, axis=-1)
            logs += np.where([place < len(right) for right in rights], each, 0)
            tails = [
                ([*one, *right[: place + 1]] + [END] * 99)[: len(one) + place + 1]
                for one, right in zip(reads, rights, strict=True)
            ]
            logits = network.follow(
                np.array([tail[-3:] for tail in tails]), np.array([len(tail) - 1 for tail in tails]), memory
            )[:, 0]
        result += [float(share) for share in 1 - np.exp(logs)]
    return result


def sampled(cases: Sequence[Case], temperature: float, first_seed: int = 0) -> list[tuple[str, str]]:
    """Return one judged sample of each case."""
    engine = shared_engine()
    futures = [engine.submit(Ask(case.prompt(), temperature, seed)) for seed, case in enumerate(cases, first_seed)]
    return [case.judged(future.result().text) for case, future in zip(cases, futures, strict=True)]


def shares(judged: Sequence[tuple[str, str]]) -> dict[str, float]:
    """Return the share of each kind among all samples, and of wrong and legal ones among those that can be read."""
    kinds = Counter(kind for kind, _ in judged)
    read = kinds["right"] + kinds["wrong"] + kinds["legal"]
    result = {kind: kinds[kind] / len(judged) for kind in ("right", "wrong", "legal", "malformed")}
    return {kind: round(share, 5) for kind, share in result.items()} | {
        "wrong_of_valid": round((kinds["wrong"] + kinds["legal"]) / max(read, 1), 5)
    }


def measured(samples: int, per_step: int) -> dict[str, Any]:
    """Return all figures."""
    chance = random.Random(1)  # noqa: S311  no secret
    network = load(WEIGHTS)
    by_disks: dict[str, dict[str, Any]] = {}
    for disks in range(3, 13):
        cases = [
            Case(Hanoi(disks, source=s, target=t), chance.randrange(2**disks - 1)) for s, t in chance.choices(PEGS, k=samples)
        ]
        unseen = [case for case in cases if disks >= 5 and case.step % 7 == 5]
        by_disks[str(disks)] = {
            **{str(heat): shares(sampled(cases, heat)) for heat in TEMPERATURES},
            "not_right_at_1": round(float(np.mean(not_right(network, cases, 1.0))), 5),
            "not_right_at_1_of_steps_never_shown": round(float(np.mean(not_right(network, unseen, 1.0))), 5)
            if unseen
            else None,
        }
    ten = [Case(Hanoi(10), step) for step in range(1023)]
    exact = not_right(network, ten, 1.0)
    judged = [sampled(ten, 1.0, 100_000 * number) for number in range(per_step)]
    votes = [Counter(turn[step] for turn in judged) for step in range(1023)]
    rivals = [
        max((n for (kind, _), n in ballot.items() if kind in {"wrong", "legal"}), default=0) / per_step for ballot in votes
    ]
    wrong = [sum(n for (kind, _), n in ballot.items() if kind in {"wrong", "legal"}) / per_step for ballot in votes]
    hardest = sorted(range(1023), key=exact.__getitem__, reverse=True)[:HARDEST]
    return {
        "command": f"python examples/train_tiny_lm/measure.py --samples {samples} --per-step {per_step}",
        "samples": samples,
        "by_disks_and_temperature": by_disks,
        "ten_disks_at_1": {
            "samples_a_step": per_step,
            **shares([one for turn in judged for one in turn]),
            "steps_where_a_wrong_answer_is_likelier_than_the_right_one": sum(
                rival > ballot_share(ballot, per_step) for rival, ballot in zip(rivals, votes, strict=True)
            ),
            "hardest": [
                {
                    "step": step,
                    "not_right": round(exact[step], 4),
                    "wrong": round(wrong[step], 4),
                    "largest_wrong": round(rivals[step], 4),
                }
                for step in hardest
            ],
            "not_right_by_step_exact": [round(share, 4) for share in exact],
            "wrong_by_step_sampled": [round(share, 4) for share in wrong],
        },
    }


def ballot_share(ballot: Counter[tuple[str, str]], per_step: int) -> float:
    """Return the share of right samples."""
    return sum(n for (kind, _), n in ballot.items() if kind == "right") / per_step


def main() -> None:
    """Measure, and write or print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=1000, help="samples for each number of disks and temperature")
    parser.add_argument("--per-step", type=int, default=100, help="samples of each step of 10 disks")
    parser.add_argument("--json", action="store_true", help="also print one JSON object")
    options = parser.parse_args()
    errors = measured(options.samples, options.per_step)
    figures = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
    FIGURES.write_text(json.dumps({**figures, "errors": errors}, indent=1) + "\n")
    if options.json:
        print(json.dumps(errors))


if __name__ == "__main__":
    main()
