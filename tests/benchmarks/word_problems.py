"""Word problems: single samples, votes, a verifier, and both, at the same cost too.

    python -m tests.benchmarks.word_problems simulate --out tests/benchmarks/results/word_problems.json
    python -m tests.benchmarks.word_problems draw --url http://127.0.0.1:8000/v1 --votes votes.jsonl
    python -m tests.benchmarks.word_problems table --votes votes.jsonl --out tests/benchmarks/results/word_problems_real.json

`simulate` walks through problems with a simulated model, whose mistakes are of one kind in each table. `draw` asks a real model
each step of 150 problems of two steps several times, with the right values of the steps before. `docs/real_model.md` says how
its server is set up. It writes a line at once, and another call goes on. `table` says what each way makes of those samples, in
the order in which they were drawn; a vote that needs more of them than there are has passed the step.

A problem is wrong at its first wrong step, and passed at its first step that is not decided; what comes after is not asked.
Samples are counted for each step that was asked, up to there. All ways see the same samples: the first is the first of all.
Of the real model, each step is also counted by itself.
"Same cost" is, for each way with a verifier, the cheapest plain rule that costs at least as many samples a step: first of those
that go on without end and majorities, then of those that pass.
"""

import argparse
import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from langchain_openai import ChatOpenAI

from maker_graph import AheadBy
from maker_graph.core.decision import Decision
from maker_graph.core.judging import Reader
from maker_graph.core.red_flags import Sample
from maker_graph.core.rules import Majority, StoppingRule
from maker_graph.core.verifying import verification_of
from maker_graph.core.voting import Voting
from maker_graph.models.counting import VoteCount
from maker_graph.models.prompts import as_pairs
from maker_graph.models.sampler import Sampler
from maker_graph.models.simulation import Profile, Simulator, profile_of
from maker_graph.models.simulation.rehearsal import replies_of
from maker_graph.tasks import WordProblems

REAL: Mapping[str, Any] = {"problems": 150, "steps": 2, "numbers": 9, "problem_seed": 17}
SAMPLES, TEMPERATURE, CAP = 8, 0.7, 24

PROFILE = "perfect,error=0.2,rho=0.3,flagged=0.03"
SIMULATED: Mapping[str, Any] = {"problems": 150, "steps": 3}
MISTAKES: Mapping[str, Mapping[str, float]] = {
    "arithmetic": {"arithmetic": 1},
    "set-up": {"arithmetic": 0},
    "half of each, and in unison on 5 % of the steps": {"arithmetic": 0.5, "unison": 0.05},
}

PLAIN: Mapping[str, StoppingRule] = {
    "single sample": AheadBy(1),
    **{f"ahead by {k}": AheadBy(k) for k in (2, 3, 4, 5)},
    **{f"ahead by {k} within {m}": AheadBy(k, within=m) for k, m in ((2, 3), (3, 3), (3, 5), (5, 5))},
    **{f"majority of {n}": Majority(n) for n in (3, 5)},
}
VERIFIED: Mapping[str, StoppingRule] = {
    "verified": AheadBy(1),
    "verified, and ahead by 2": AheadBy(2),
    "verified, and ahead by 3": AheadBy(3),
    "verified, and ahead by 3 within 5": AheadBy(3, within=5),
}

Draw = Callable[[Any, int], Sample]
"""From a state of the task and the number of a sample to the sample."""


def decided(task: WordProblems, state: Any, rule: StoppingRule, draw: Draw, most: int | None, *, verify: bool) -> Decision:
    """Return the decision of a step, with the shipped vote."""
    voting = Voting(k=rule) if most is None else Voting(k=rule, max_samples=most, stuck_after=most)
    reader = Reader(task.parse, task.key, None, voting.flags, verify=partial(task.verify, state) if verify else None)
    count = VoteCount(voting, reader, lambda _drawn, _earlier: False)
    while count.more:
        count.take([draw(state, index) for index in count.next])
    return count.decision()


def walked(task: WordProblems, rule: StoppingRule, draw: Draw, most: int | None = None, *, verify: bool) -> Counter[str]:
    """Return what a way makes of all problems of a task."""
    found: Counter[str] = Counter(problems=task.problems)
    for problem in range(task.problems):
        for place in range(task.sizes.steps):
            state = task.state_at(problem * task.sizes.steps + place)
            decision = decided(task, state, rule, draw, most, verify=verify)
            found.update(steps=1, samples=decision["samples"], invalid=decision["flags"].get("invalid", 0))
            found.update(proved="proved" in decision)
            if decision["answer"] is None:
                found.update(passed=1)
                break
            if decision["candidate"] != json.dumps(task.truth(state)["value"]):
                found.update(wrong=1, proved_wrong="proved" in decision)
                break
        else:
            found.update(right=1)
    return found


def alone(task: WordProblems, rule: StoppingRule, draw: Draw, most: int, *, verify: bool) -> dict[str, Any]:
    """Return what a way makes of each step of a task by itself, with the right values of the steps before."""
    found: Counter[str] = Counter()
    for number in range(task.total()):
        state = task.state_at(number)
        decision = decided(task, state, rule, draw, most, verify=verify)
        right = decision["candidate"] == json.dumps(task.truth(state)["value"])
        found.update(samples=decision["samples"], right=right, passed=decision["answer"] is None, proved="proved" in decision)
    return {
        "steps": task.total(),
        "wrong": task.total() - found["passed"] - found["right"],
        "passed": found["passed"],
        "right": found["right"],
        "proved": found["proved"],
        "samples_a_step": round(found["samples"] / task.total(), 2),
    }


def told(runs: Sequence[Counter[str]]) -> dict[str, Any]:
    """Return the figures of a way, over all draws of the problems."""
    all_ = sum(runs, Counter[str]())
    return {
        "problems": all_["problems"],
        "wrong_problems": all_["wrong"],
        "wrong_share": round(all_["wrong"] / all_["problems"], 4),
        "wrong_share_by_draw": [round(each["wrong"] / each["problems"], 3) for each in runs],
        "passed_problems": all_["passed"],
        "wrong_steps": round(all_["wrong"] / all_["steps"], 4),
        "passed_steps": round(all_["passed"] / all_["steps"], 4),
        "samples_a_step": round(all_["samples"] / all_["steps"], 2),
        "proved_steps": round(all_["proved"] / all_["steps"], 3),
        "proved_wrong": all_["proved_wrong"],
    }


def all_ways(tasks: Sequence[WordProblems], draws: Sequence[Draw], most: int | None = None) -> dict[str, Any]:
    """Return what each way makes of some tasks, each with its own samples, and which plain rule costs the same."""
    found = {
        name: told([walked(task, rule, draw, most, verify=verify) for task, draw in zip(tasks, draws, strict=True)])
        for verify, ways in ((False, PLAIN), (True, VERIFIED))
        for name, rule in ways.items()
    }
    costs = {name: each["samples_a_step"] for name, each in found.items()}
    for name in VERIFIED:
        dear = sorted((each for each in PLAIN if costs[each] >= costs[name]), key=costs.__getitem__)
        found[name]["same_cost"] = [
            next((each for each in dear if ("within" in each) is passes), "none") for passes in (False, True)
        ]
    return found


def simulated_draw(task: WordProblems, profile: Profile, seed: int) -> Draw:
    """Return the samples of a simulated model that has rehearsed a task."""
    simulator, known = Simulator(profile, seed=seed), dict[tuple[int, int, int], Sample]()

    def draw(state: Any, index: int) -> Sample:
        place = state["problem"], len(state["values"]), index
        if place not in known:
            known[place] = made(state, index)
        return known[place]

    def made(state: Any, index: int) -> Sample:
        prompt = as_pairs(task.prompt(state))
        simulator.learn(prompt, lambda: replies_of(task.rehearse(state)))
        reply = simulator.reply(prompt, seed=index, max_tokens=None)
        return Sample(index, reply.text, "refused" if reply.refusal else reply.finish, output_tokens=reply.output_tokens)

    return draw


def simulated(draws: int) -> dict[str, Any]:
    """Return the tables of the simulation: one for each kind of mistakes."""
    result: dict[str, Any] = {
        "command": "python -m tests.benchmarks.word_problems simulate",
        "model": f"sim:{PROFILE}",
        "draws": draws,
        **SIMULATED,
    }
    for name, mistakes in MISTAKES.items():
        tasks = [WordProblems(**SIMULATED, problem_seed=seed, **mistakes) for seed in range(draws)]  # type: ignore[arg-type]  # all fit
        found = all_ways(tasks, [simulated_draw(task, profile_of(PROFILE), seed) for seed, task in enumerate(tasks)])
        result[name] = {"caught": caught(tasks), "ways": found}
        show(name, found)
    return result


def caught(tasks: Sequence[WordProblems]) -> dict[str, float]:
    """Return which share of the favourite mistakes on the right path the verifier calls invalid, by the kind of the step."""
    wrong: Counter[str] = Counter()
    invalid: Counter[str] = Counter()
    for task in tasks:
        for number in range(task.total()):
            state: Any = task.state_at(number)
            kind = task.problem(state["problem"]).steps[len(state["values"])].kind
            _, mistakes, _ = task.rehearse(state)
            wrong[kind] += 1
            invalid[kind] += isinstance(verification_of(task.verify, state, task.parse(mistakes[0])), str)
    return {"all": round(invalid.total() / wrong.total(), 3)} | {
        kind: round(invalid[kind] / wrong[kind], 3) for kind in sorted(wrong)
    }


async def drawn(url: str, votes: Path, done: int, minutes: float, at_once: int) -> None:
    """Ask a real model about the steps after the first `done`, which are in the file."""
    model = ChatOpenAI(model="gemma-3-270m", base_url=url, api_key="none")  # type: ignore[arg-type]  # a string will do
    sampler = Sampler([model], temperature=TEMPERATURE, max_tokens=CAP, seed=17, stop=("\n",), calls={"timeout": 600.0})
    task, gate, began = WordProblems(**REAL), asyncio.Semaphore(at_once), time.monotonic()

    async def one(prompt: Any, index: int) -> Sample:
        async with gate:
            return await sampler.adraw(prompt, index)

    for step in range(done, task.total()):
        if time.monotonic() - began > 60 * minutes:
            break
        prompt = task.prompt(task.state_at(step))
        samples = await asyncio.gather(*(one(prompt, index) for index in range(SAMPLES)))
        line = {"step": step, "texts": [each.text for each in samples], "finish": [each.finish for each in samples]}
        with votes.open("a", encoding="utf-8") as out:
            out.write(json.dumps(line, ensure_ascii=False) + "\n")
        if step % 20 == 19:
            print(f"{step + 1} of {task.total()} steps, {time.monotonic() - began:.0f} s", flush=True)
    await sampler.aclose()


def table_of(votes: Path) -> dict[str, Any]:
    """Return what each way makes of the samples of a real model, as far as they were drawn."""
    lines = [json.loads(line) for line in votes.read_text(encoding="utf-8").splitlines()]
    task = WordProblems(**{**REAL, "problems": len(lines) // REAL["steps"]})
    verdicts: Counter[str] = Counter()

    def draw(state: Any, index: int) -> Sample:
        line = lines[state["problem"] * REAL["steps"] + len(state["values"])]
        return Sample(index, line["texts"][index], line["finish"][index])

    for step in range(task.total()):
        state: Any = task.state_at(step)
        for text in lines[step]["texts"]:
            verdicts[verdict(task, state, text)] += 1
    found = all_ways([task], [draw], SAMPLES)
    show("a real model", found)
    by_itself = {
        name: alone(task, rule, draw, SAMPLES, verify=verify)
        for verify, ways in ((False, PLAIN), (True, VERIFIED))
        for name, rule in ways.items()
    }
    for name, each in by_itself.items():
        print(f"  {name:36} {each}", flush=True)
    return {
        "model": "Gemma 3, 270 million weights, 4 bits, base",
        **task.options,
        "samples_a_step_drawn": SAMPLES,
        "temperature": TEMPERATURE,
        "samples": dict(sorted(verdicts.items())),
        "each step by itself": by_itself,
        "problems of two steps": found,
    }


def verdict(task: WordProblems, state: Any, text: str) -> str:
    """Return in two words whether a reply is right, and what the verifier says of it."""
    try:
        answer: Any = task.parse(text)
    except ValueError:
        return "malformed"
    said = verification_of(task.verify, state, answer)
    right = "right" if task.key(answer) == task.truth(state)["value"] else "wrong"
    name = (
        "invalid" if isinstance(said, str) else "proved" if getattr(said, "conclusive", False) else type(said).__name__.lower()
    )
    return f"{right}, {name}"


def show(title: str, found: Mapping[str, Mapping[str, Any]]) -> None:
    """Print a table."""
    print(title)
    for name, each in found.items():
        print(
            f"  {name:36} wrong {each['wrong_problems']:4} of {each['problems']:4} ({100 * each['wrong_share']:5.1f} %)  "
            f"passed {each['passed_problems']:4}  samples {each['samples_a_step']:6.2f}  proved {each['proved_steps']:.3f}  "
            f"{', '.join(each.get('same_cost', ()))}",
            flush=True,
        )


def main() -> None:
    """Simulate, draw, or print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["simulate", "draw", "table"])
    parser.add_argument("--draws", type=int, default=3, help="simulated draws of the problems")
    parser.add_argument("--url", default="http://127.0.0.1:8000/v1", help="of an OpenAI-compatible server")
    parser.add_argument("--votes", type=Path, default=Path("votes.jsonl"))
    parser.add_argument("--minutes", type=float, default=600.0, help="so long `draw` goes on")
    parser.add_argument("--at-once", type=int, default=2, help="requests at once")
    parser.add_argument("--out", type=Path, help="where the table goes")
    given = parser.parse_args()
    if given.what == "draw":
        done = len(given.votes.read_text(encoding="utf-8").splitlines()) if given.votes.exists() else 0
        asyncio.run(drawn(given.url, given.votes, done, given.minutes, given.at_once))
        return
    result = simulated(given.draws) if given.what == "simulate" else table_of(given.votes)
    if given.out:
        given.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
