"""Make the pictures of the pages that say how it works.

    python -m tests.benchmarks.pictures

Each picture is drawn from data that the code of maker_graph computes, or that a benchmark has measured. The file holds that
data beside the drawing, so a test can tell when a picture is stale, whatever version of matplotlib has drawn it.
"""

import heapq
import html
import io
import json
import re
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from maker_graph import vote
from maker_graph.calibration.votes import RIGHT, read_votes
from maker_graph.core.ballot import lead
from maker_graph.core.canonical import canonical
from maker_graph.core.guarding import guarded
from maker_graph.core.machine import Machine
from maker_graph.core.rules import AheadBy, Decided, Draw
from maker_graph.graph.width import Width
from maker_graph.graph.window import Window
from maker_graph.journal.chain import origin_digest
from maker_graph.journal.rules import new_rows
from maker_graph.report.figures import style
from maker_graph.report.figures.style import BLUE, GREEN, INK, LINE, MUTED, ORANGE, PALETTE, RED
from maker_graph.statistics.agreement import StepVotes, agreement, share_right
from maker_graph.statistics.within import passing_law
from maker_graph.tasks import Hanoi
from tests.benchmarks.evidence_tables import percent
from tests.benchmarks.real_votes import wrong_of

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "docs" / "pictures"
RESULTS = Path(__file__).parent / "results"
VOTES = ROOT / "tests" / "data" / "real_votes"

REPLIES = ("A", "A", "", "B", "A", "A")
"""The replies of the example of a vote, in the order of launch; an empty one raises a red flag."""


def rounds_of_a_vote() -> Any:
    """Return the rounds of a vote by a lead of 3 on `REPLIES`: the samples, the ballot after them, and what the rule says."""
    rule, ballot, drawn = AheadBy(3), dict[str, int](), 0
    rounds = list[dict[str, Any]]()
    verdict = rule(ballot)
    while isinstance(verdict, Draw):
        samples = REPLIES[drawn : drawn + verdict.samples]
        drawn += len(samples)
        for each in filter(None, samples):
            ballot[each] = ballot.get(each, 0) + 1
        verdict = rule(ballot)
        said = {"decided": verdict.candidate} if isinstance(verdict, Decided) else {"draw": verdict.samples}  # type: ignore[union-attr]
        rounds.append({"samples": list(samples), "ballot": dict(ballot), "lead": lead(ballot).votes, **said})
    return rounds


def draw_rounds(axes: Axes, rounds: Any) -> None:
    """Draw a column for each round, with its samples, the ballot and the verdict."""
    _bare(axes, (0, 10 * len(rounds)), (0, 10.4))
    colours = {"A": BLUE, "B": ORANGE, "": "none"}
    for number, each in enumerate(rounds):
        x = 10 * number
        _box(axes, x + 0.4, 0.2, 9.2, 10)
        axes.text(x + 5, 9.2, f"Round {number + 1}", ha="center", fontweight="bold")
        samples = each["samples"]
        for place, said in enumerate(samples):
            at = x + 5 + 2.4 * (place - (len(samples) - 1) / 2)
            axes.plot(at, 7.3, "o", markersize=23, markerfacecolor=colours[said], markeredgecolor=MUTED if not said else INK)
            axes.text(at, 7.3, said or "×", ha="center", va="center", color="white" if said else MUTED)
        if "" in samples:
            axes.text(x + 5, 5.7, "×: a red flag, no vote", ha="center", color=MUTED, fontsize=8.5)
        votes = ", ".join(f"{name} {number}" for name, number in each["ballot"].items())
        axes.text(x + 5, 4.3, f"ballot: {votes}", ha="center")
        axes.text(x + 5, 2.9, f"lead: {each['lead']}", ha="center")
        end = f"decided: {each['decided']}" if "decided" in each else f"draw {each['draw']} more"
        axes.text(x + 5, 1.2, end, ha="center", fontweight="bold", color=GREEN if "decided" in each else INK)


def flags_and_what_they_discard() -> Any:
    """Return what became of the samples of a real model, by whether they were right."""
    file = json.loads((RESULTS / "word_problems_real.json").read_text())
    samples = file["samples"]
    kept = {
        truth: sum(samples.get(f"{truth}, {said}", 0) for said in ("valid", "proved", "unknown"))
        for truth in ("right", "wrong")
    }
    invalid = {truth: samples[f"{truth}, invalid"] for truth in ("right", "wrong")}
    return {"malformed": {"unreadable": samples["malformed"]}, "invalid": invalid, "kept": kept}


def draw_flags(axes: Axes, found: Any) -> None:
    """Draw a bar for each fate of a sample, divided by truth."""
    names = {"malformed": "malformed: discarded", "invalid": "invalid: discarded", "kept": "no red flag: a vote"}
    colours = {"right": BLUE, "wrong": ORANGE, "unreadable": LINE}
    for row, counts in enumerate(reversed(found.values())):
        begin = 0
        for truth, number in counts.items():
            axes.barh(row, number, left=begin, color=colours[truth], height=0.55)
            begin += number
        axes.text(begin + 20, row, ", ".join(f"{number:,} {truth}" for truth, number in counts.items()), va="center")
    axes.set_yticks(range(len(found)), [names[fate] for fate in reversed(found)])
    axes.set_xlim(0, 2500)
    axes.set_xlabel("samples")
    axes.set_title("Samples of a real small model, on steps of word problems")
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", labelcolor=INK)


RULES = {
    "single": "a single sample",
    "majority of 5": "majority of 5",
    "ahead by 3": "ahead by 3",
    "ahead by 3 within 5": "ahead by 3 within 5",
    "agreement of 3": "3 of 3 agree",
    "ahead by 5 within 5": "5 of 5 agree",
    "ahead by 8 within 8": "8 of 8 agree",
}
"""Rules in the results of `real_votes.py`, and how the picture calls them."""

FILES = {"gsm8k_gpt-4o-mini": "gpt-4o-mini, 1,318 questions", "dates": "Gemma 3 270M, 68 dates"}


def rules_on_real_votes() -> Any:
    """Return the shares of rightly and wrongly decided and of passed questions, of each file and rule."""
    files = json.loads((RESULTS / "real_votes.json").read_text())["files"]
    found: dict[str, Any] = {}
    for file, title in FILES.items():
        for rule, name in RULES.items():
            row = files[file]["rules"][rule]
            wrong = row["wrong"] * row["decided"]
            shares = {"wrong": wrong, "passed": 1 - row["decided"], "right": row["decided"] - wrong}
            rounded = {key: round(number, 4) for key, number in shares.items()}
            found.setdefault(title, {})[name] = rounded | {"error": row["wrong"], "samples": row["samples"]}
    return found


def draw_rules(axes: Axes, found: Any) -> None:
    """Draw a divided bar for each rule, a group of them for each file."""
    names, row, ticks = list[str](), 0.0, list[float]()
    for title, rules in reversed(found.items()):
        for name, shares in reversed(rules.items()):
            begin = 0.0
            for key, colour in (("wrong", RED), ("passed", LINE), ("right", GREEN)):
                axes.barh(row, shares[key], left=begin, color=colour, height=0.72)
                begin += shares[key]
            axes.text(
                1.01,
                row,
                f"{percent(shares['error'])} · {shares['samples']:.1f}",
                va="center",
                fontsize=8.5,
            )
            names.append(name)
            ticks.append(row)
            row += 1
        axes.text(0, row - 0.25, title, fontweight="bold", va="center")
        row += 1.1
    axes.text(1.01, row - 0.7, "wrong among\ndecided · samples", va="center", fontsize=8, color=MUTED)
    axes.set_yticks(ticks, names)
    axes.set_xlim(0, 1.2)
    axes.set_ylim(-0.6, row - 0.1)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "25 %", "50 %", "75 %", "100 % of the questions"])
    axes.grid(visible=False)
    axes.tick_params(axis="y", labelcolor=INK, length=0)
    handles = [axes.barh(-9, 0, color=colour, label=label) for label, colour in LEGEND.items()]
    axes.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.4, -0.05), ncols=3)


LEGEND = {"decided, wrong": RED, "passed on": LINE, "decided, right": GREEN}


def chain_of_hashes() -> Any:
    """Return the hashes of the first steps of Hanoi with three disks, as a journal would hold them."""
    task = Hanoi(disks=3)
    machine, before = Machine(task), origin_digest("an example")
    at, steps = machine.begin(), []
    for _ in range(3):
        reply = canonical(task.truth(at["state"]))
        decision = vote(partial(_said, reply), k=2, answer=json.loads)
        at = machine.advance(at, decision)
        steps.append((decision, at))
    rows = new_rows(steps, before)
    return {
        "origin": before.hex()[:8],
        "steps": [{"step": step, "place": place.hex()[:8], "hash": link.hex()[:8]} for step, _, place, link in rows],
    }


def _said(reply: str, _: int) -> str:
    return reply


def draw_chain(axes: Axes, found: Any) -> None:
    """Draw the chain of hashes, and under it the order of the two writes."""
    _bare(axes, (0, 40), (0, 19))
    axes.text(0.2, 18.3, "The chain: each hash stands on the one before", fontweight="bold", va="center")
    _box(axes, 0.3, 11, 7.4, 5.6)
    _lines(axes, 4, 13.8, "the run and\nits settings", found["origin"])
    for number, each in enumerate(found["steps"]):
        x = 9.7 + 10.2 * number
        _arrow(axes, (x - 2, 13.8), (x, 13.8))
        _box(axes, x, 11, 8.2, 5.6)
        _lines(axes, x + 4.1, 13.8, f"step {each['step']}: votes and answer,\nplace {each['place']}", each["hash"])
    axes.text(0.2, 9, "The two writes: first the journal, then the graph's state", fontweight="bold", va="center")
    stages = (
        "votes\nare counted",
        "1. journal: step\nand money, on disk",
        "high-water\nmark",
        "2. the graph's\nstate moves on",
        "checkpoint, at the\nend of a segment",
    )
    for number, stage in enumerate(stages):
        x = 0.3 + 8 * number
        _box(axes, x, 4, 6.8, 3.4, edge=BLUE if stage[:1] in "12" else LINE)
        axes.text(x + 3.4, 5.7, stage, ha="center", va="center", fontsize=8)
        if number:
            _arrow(axes, (x - 1.2, 5.7), (x, 5.7))
    for x, end, what in (
        (0.3, 7.7, "killed here: the votes in\nflight are drawn again"),
        (9, 39.1, "killed here: the step is kept, and its answer is applied again without a call"),
    ):
        axes.plot([x, x, end, end], [3.2, 2.7, 2.7, 3.2], color=MUTED, linewidth=1)
        axes.text((x + end) / 2, 1.5, what, ha="center", va="center", fontsize=8, color=MUTED)


class _Count:
    """Counts up, one number a step: the task of the picture of lookahead."""

    LAST = 40

    def start(self) -> int:
        return 0

    def done(self, state: int) -> bool:
        return state >= self.LAST

    def prompt(self, state: int) -> str:
        return f"{state} + 1 ="

    def parse(self, text: str) -> int:
        return int(text)

    def apply(self, state: int, answer: int) -> int:  # noqa: ARG002  the contract
        return answer


class _Crew:
    """Votes and drafts that take time on a clock of their own, for the real `Window`.

    A vote takes as long as the slowest of three samples, and one in eight a second round. Draft number `wrong` is wrong from
    its fifth state on.
    """

    def __init__(self, wrong: int) -> None:
        self.clock, self.wrong, self.drafts = 0.0, wrong, 0
        self.work: list[dict[str, Any]] = []
        self._chance = Random(5)
        self._due: list[tuple[float, int, Future[Any], Any]] = []

    def vote(self, state: Any, step: int) -> Future[Any]:
        rounds = 1 + (self._chance.random() < 1 / 8)
        takes = sum(max(self._chance.lognormvariate(0, 0.4) for _ in range(3)) for _ in range(rounds))
        return self._begin(step, "vote", takes, {"decision": {"status": "decided", "answer": state + 1}}, state=state)

    def draft(self, state: Any, n: int) -> Future[Any]:
        self.drafts += 1
        off = 500 if self.drafts == self.wrong else 0
        states = [state + place - (off if place > 4 else 0) for place in range(1, n + 1)]
        return self._begin(state + 2, "draft", 0.3 + 0.03 * n, states, listed=n)

    def next(self) -> None:
        """Let the clock run until the next vote or draft ends."""
        while self._due:
            self.clock, number, future, result = heapq.heappop(self._due)
            if not future.cancelled():
                self.work[number]["end"] = round(self.clock, 2)
                future.set_result(result)
                return

    def _begin(self, step: int, kind: str, takes: float, result: Any, **more: Any) -> Future[Any]:
        future: Future[Any] = Future()
        number = len(self.work)
        self.work.append({"kind": kind, "step": step, "begin": round(self.clock, 2), "takes": round(takes, 2), **more})
        heapq.heappush(self._due, (self.clock + takes, number, future, result))
        future.add_done_callback(
            lambda done: self.work[number].setdefault("end", round(self.clock, 2)) if done.cancelled() else None
        )
        return future


def timeline_of_lookahead() -> Any:
    """Return when each microstep of 40 steps was in flight, in latencies of a sample, with lookahead; and the time without."""
    task = guarded(_Count())
    crew, window = _Crew(wrong=3), Window(task, Width(), first=3, checked=False, asks=True)
    state: Any = 0
    step, kept = 0, set[tuple[int, Any]]()
    while step < _Count.LAST:
        window.follow(state, step, _Count.LAST, crew, None)
        while window.pending():
            crew.next()
        for real, decision in window.decided():
            kept.add((step + 1, real))
            state, step = decision["answer"], step + 1
    window.close()
    votes = [work for work in crew.work if work["kind"] == "vote"]
    for work in votes:
        work["kept"] = (work["step"], work["state"]) in kept
    alone = sum(work["takes"] for work in votes if work["kept"])
    return {"work": crew.work, "seconds": round(crew.clock, 2), "alone": round(alone, 2)}


def draw_timeline(axes: Axes, found: Any) -> None:
    """Draw a bar for each microstep and draft."""
    for each in found["work"]:
        kind = "draft" if each["kind"] == "draft" else "kept" if each["kept"] else "dropped"
        colour = {"draft": PALETTE["c6"], "kept": BLUE, "dropped": LINE}[kind]
        axes.barh(
            each["step"],
            each["end"] - each["begin"],
            left=each["begin"],
            color=colour,
            height=0.75,
            zorder=2 if kind == "kept" else 1,
        )
    last = max(each["step"] for each in found["work"])
    axes.set_title("Microsteps in flight, with lookahead")
    axes.set_xlabel(f"time, in latencies of a sample; without lookahead these steps take {found['alone']:.0f}")
    axes.set_ylabel("step")
    axes.set_ylim(last + 1, 0)
    axes.set_xlim(0, None)
    handles = [
        axes.barh(-9, 0, color=colour, label=label)
        for label, colour in {"voted on, kept": BLUE, "dropped": LINE, "a draft of the next steps": PALETTE["c6"]}.items()
    ]
    axes.legend(handles=handles, loc="upper right")


HEATS = {"0.1": "dates150_t0.1.jsonl", "0.7": "dates150.jsonl", "1": "dates150_t1.0.jsonl"}
MOST_AGREEING = 6


def agreement_against_independence() -> Any:
    """Return, for each temperature, how often k samples that agree are wrong: measured, and if errors were independent."""
    found: dict[str, Any] = {}
    for heat, file in HEATS.items():
        (pool,) = read_votes([f"m@{heat}={VOTES / file}"]).pools.values()
        steps = [StepVotes(row.sequence.count(RIGHT), wrong_of(row.sequence)) for row in pool.rows.values()]
        p = share_right(steps) or 0.0
        worth = [agreement(steps, k) for k in range(1, MOST_AGREEING + 1)]
        alone = [passing_law(AheadBy(k, within=k), p).error for k in range(1, MOST_AGREEING + 1)]
        found[heat] = {
            "right": round(p, 4),
            "measured": [round(each.wrong or 0.0, 4) for each in worth],
            "decided": [round(each.decided, 4) for each in worth],
            "independent": [float(f"{each:.3g}") for each in alone],
        }
    return found


def draw_agreement(axes: Axes, found: Any) -> None:
    """Draw measured shares as lines with points, those of independent errors as dashes."""
    counts = range(1, MOST_AGREEING + 1)
    for (heat, each), colour in zip(found.items(), (RED, BLUE, GREEN), strict=True):
        axes.plot(counts, each["measured"], "o-", color=colour, markersize=4.5, label=f"temperature {heat}: measured")
        axes.plot(counts, each["independent"], "--", color=colour, linewidth=1.1, label="if independent")
    axes.set_yscale("log")
    axes.set_ylim(1e-3, 1)
    axes.set_yticks([0.001, 0.01, 0.1, 1], ["0.1 %", "1 %", "10 %", "100 %"])
    axes.minorticks_off()
    axes.set_xlabel("samples in a row that agree")
    axes.set_ylabel("wrong among those decided")
    axes.set_title("Agreement of a real small model on 150 dates")
    axes.legend(loc="lower left", bbox_to_anchor=(1.0, 0.2))


class Picture(NamedTuple):
    """A picture: its title, its size in inches, and the functions that find and draw its data."""

    title: str
    size: tuple[float, float]
    find: Callable[[], Any]
    draw: Callable[[Axes, Any], None]


MADE = {
    "vote": Picture("Three rounds of a vote that is decided by a lead of 3", (7.2, 2.6), rounds_of_a_vote, draw_rounds),
    "red_flags": Picture("What red flags discard, right and wrong", (7.2, 2.3), flags_and_what_they_discard, draw_flags),
    "passing": Picture("Wrong, passed and right, by rule, on real votes", (7.2, 4.9), rules_on_real_votes, draw_rules),
    "journal": Picture("The chain of hashes, and the two writes of a step", (7.6, 3.8), chain_of_hashes, draw_chain),
    "lookahead": Picture("Microsteps in flight with lookahead", (7.2, 3.8), timeline_of_lookahead, draw_timeline),
    "correlated": Picture("How often samples that agree are wrong", (7.6, 3.4), agreement_against_independence, draw_agreement),
}


def svg(name: str) -> str:
    """Return a picture as an SVG file that holds its data."""
    picture = MADE[name]
    data = picture.find()
    file = io.StringIO()
    with rc_context({**style._STYLE, "figure.figsize": picture.size, "svg.hashsalt": name}):
        figure = Figure()
        picture.draw(figure.add_subplot(), data)
        figure.savefig(file, format="svg", metadata={"Date": None})
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", file.getvalue(), flags=re.DOTALL)
    head = f"<title>{html.escape(picture.title)}</title>\n <desc>{html.escape(json.dumps(data), quote=False)}</desc>\n"
    return re.sub(r"(<svg [^>]*>\n)", lambda found: f"{found[1]} {head}", text, count=1)


def data_in(text: str) -> Any:
    """Return the data that an SVG file of these holds."""
    (found,) = re.findall(r"<desc>(.*?)</desc>", text, re.DOTALL)
    return json.loads(html.unescape(found))


def _bare(axes: Axes, x: tuple[float, float], y: tuple[float, float]) -> None:
    axes.set_axis_off()
    axes.set_xlim(*x)
    axes.set_ylim(*y)


def _box(axes: Axes, x: float, y: float, width: float, height: float, *, edge: str = LINE) -> None:
    axes.add_patch(
        FancyBboxPatch(
            (x, y), width, height, boxstyle="round,pad=0,rounding_size=0.4", facecolor="none", edgecolor=edge, linewidth=1.4
        )
    )


def _arrow(axes: Axes, begin: tuple[float, float], end: tuple[float, float]) -> None:
    axes.annotate("", end, begin, arrowprops={"arrowstyle": "->", "color": MUTED})


def _lines(axes: Axes, x: float, y: float, what: str, digest: str) -> None:
    axes.text(x, y + 0.9, what, ha="center", va="center", fontsize=7.8)
    axes.text(x, y - 1.8, f"hash {digest}", ha="center", va="center", fontsize=8.5, color=BLUE, family="monospace")


def main() -> None:
    """Make all of them."""
    PICTURES.mkdir(exist_ok=True)
    for name in MADE:
        (PICTURES / f"{name}.svg").write_text(svg(name))
        print(PICTURES / f"{name}.svg")


if __name__ == "__main__":
    main()
