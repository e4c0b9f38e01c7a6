"""Formatting to f-strings in three packages from the index: a fixer, a program, single samples and votes.

    pip install 'maker-graph[migrate]' ruff pytest markupsafe
    python tests/benchmarks/migrate.py --out tests/benchmarks/results/migrate.json

The sites are those of the rule `percent` that ruff's safe fixes leave. The packages are pinned source archives, fetched with
pip into a folder beside the system's temporary one. The model is simulated: it errs on a fifth of its samples, and its errors
are correlated. So the rows say what the machinery does with such a model, and nothing of a real one.

Whether an edit is right is established by behaviour, for every site: the expressions must be the same syntax trees in the same
order, and each must be formatted alike on the plain values of all types that it can have. The rule's check makes the same
comparison, so with it no wrong edit can be counted; that row shows what the check costs. Without it the vote is alone.

Columns: done (edits that are right), left (a site that stays as it is, although it could be done), rightly left (nothing is
known that does the same), open (nobody won), wrong (edits that change what the code does for some value), wrong for all types
(those that no type of an expression would make right), samples, green (the package's suite, with all edits).
`wrong_but_green`: wrong edits, drawn at random, that leave the suite green when each is made alone.
"""

import argparse
import json
import random
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from maker_graph.run.suites import Suite
from maker_graph.runs import Run
from maker_graph.tasks.migrate.edits import dump, expression_of
from maker_graph.tasks.migrate.forms import KINDS, form_of, outcome, why_not
from maker_graph.tasks.migrate.kinds import kinds_of, known_in
from maker_graph.tasks.migrate.percent import Percent, right
from maker_graph.tasks.migrate.rules import LEAVE
from maker_graph.tasks.migrate.sites import Site
from maker_graph.tasks.migrate.task import Migrate

PACKAGES = {"mako": ("1.4.3", "mako"), "webob": ("1.8.11", "src"), "paste": ("3.10.1", "paste")}
"""Name -> version, and the folder of the code. All are under the MIT licence."""

MODEL = "sim:perfect,error=.2,rho=.3"
SEEDS = (1, 2, 3, 4)
ALONE = 8
"""Wrong edits of a package that are tried alone."""


class Asked(Percent):
    """The rule, without its program: each site is asked."""

    def given(self, site: Site) -> str | None:  # noqa: ARG002  it is never sure
        """Return nothing."""
        return None


def fetched(name: str, version: str) -> Path:
    """Return the folder of a package's source archive."""
    place = Path(tempfile.gettempdir()) / "maker-graph-benchmarks"
    place.mkdir(exist_ok=True)
    archive = place / f"{name}-{version}.tar.gz"
    if not archive.is_file():
        words = [
            "download",
            "--no-deps",
            "--no-binary",
            ":all:",
            "--no-build-isolation",
            "-d",
            str(place),
            f"{name}=={version}",
        ]
        subprocess.run([sys.executable, "-m", "pip", *words], check=True, capture_output=True)
    folder = place / f"{name}-{version}"
    if not folder.is_dir():
        with tarfile.open(archive) as file:
            file.extractall(place, filter="data")
    return folder


def why_wrong(site: Site, code: str) -> str | None:
    """Return why an edit does not do what its site does; None if it does."""
    before, tree = expression_of(site["code"]), expression_of(code)
    form, new = None if before is None else form_of(before), None if tree is None else form_of(tree)
    if form is None or new is None:
        return "it is not formatting"
    return why_not(form, new, lambda each: kinds_of(each, known_in(site["function"], tuple(site["replaced"]))))


def is_wrong_for_all(site: Site, code: str) -> bool:
    """Say whether a wrong edit is wrong whatever the types are: no type of an expression would make it right."""
    before, tree = expression_of(site["code"]), expression_of(code)
    form, new = None if before is None else form_of(before), None if tree is None else form_of(tree)
    if form is None or new is None or len(form.parts) != len(new.parts):
        return True
    fails = "fails"
    right_for = [
        {
            kind
            for kind in KINDS
            if outcome(old.format, kind) == outcome(made.format, kind) != (fails,) * len(outcome(old.format, kind))
        }
        for old, made in zip(form.fields, new.fields, strict=True)
    ]
    kinds = {dump(field.tree): found for field, found in zip(form.fields, right_for, strict=True)}
    return not all(kinds.values()) or why_not(form, new, lambda each: kinds[dump(each)]) is not None


def fixes(task: Migrate, *, unsafe: bool) -> dict[int, str]:
    """Return what ruff makes of each site, by its number."""
    words = ["check", "--isolated", "--select", "UP031,UP032", "--target-version", "py310", "--output-format", "json"]
    done = subprocess.run(["ruff", *words, "--no-cache", str(task.root)], capture_output=True, check=False)  # noqa: S607
    found = dict[int, str]()
    numbers = {(site["file"], *site["place"]): number for number, site in enumerate(task.items, start=1)}
    for each in json.loads(done.stdout):
        path = Path(each["filename"]).relative_to(task.root.resolve()).as_posix()
        if path not in task.sources or not each["fix"] or not (unsafe or each["fix"]["applicability"] == "safe"):
            continue
        text = task.sources[path].text
        starts = [0]
        for line in text.splitlines(keepends=True):
            starts.append(starts[-1] + len(line))
        begin, end = (starts[each[at]["row"] - 1] + each[at]["column"] - 1 for at in ("location", "end_location"))
        number = numbers.get((path, begin, end))
        if number is None:
            continue
        code, shift = text[begin:end], begin
        for edit in sorted(
            each["fix"]["edits"], key=lambda edit: -edit["location"]["row"] * 10_000 - edit["location"]["column"]
        ):
            first, last = (starts[edit[at]["row"] - 1] + edit[at]["column"] - 1 - shift for at in ("location", "end_location"))
            code = code[:first] + edit["content"] + code[last:]
        found[number] = code
    return found


def counted(task: Migrate, answers: Mapping[int, str], sites: Sequence[int]) -> dict[str, int]:
    """Return how the sites ended; those without an answer are open."""
    count: Counter[str] = Counter()
    for number in sites:
        site, code = task.items[number - 1], answers.get(number)
        if code is None:
            count["open"] += 1
        elif code == LEAVE:
            count["left" if right(site) else "rightly_left"] += 1
        elif why_wrong(site, code) is None:
            count["done"] += 1
        else:
            count["wrong"] += 1
            count["wrong_for_all_types"] += is_wrong_for_all(site, code)
    return {name: count[name] for name in ("done", "left", "rightly_left", "open", "wrong", "wrong_for_all_types")}


def voted(
    task: Migrate, *, seed: int, check: bool, k: int, within: int | None, one: bool = False
) -> tuple[dict[int, str], int]:
    """Return what a run decides, by the number of the site, and how many samples were drawn."""
    with tempfile.TemporaryDirectory() as folder:
        how: dict[str, Any] = {"max_samples": 1} if one else {}
        with Run.create(
            Path(folder) / "run", task, model=MODEL, k=k, within=within, check=check, seed=seed, temperature=1.0,
            retry_temperature=None, rephrase=False, **how,
        ) as run:  # fmt: skip
            run.solve(concurrency=64)
            steps = list(run.steps())
    answers = {step.step: str(step.answer) for step in steps if step.decision["status"] == "decided"}
    return answers, sum(step.samples for step in steps)


class Package:
    """A package, its sites and its suite."""

    def __init__(self, name: str, suite: bool) -> None:
        version, folder = PACKAGES[name]
        self.name, self.top = name, fetched(name, version)
        self.asked = Migrate(self.top / folder, f"{Path(__file__).resolve()}:Asked", "3.10")
        self.program = Migrate(self.top / folder, "percent", "3.10")
        self.safe = fixes(self.asked, unsafe=False)
        self.sites = [number for number in range(1, len(self.asked.items) + 1) if number not in self.safe]
        self.suite = Suite(f"{sys.executable} -m pytest -q -x -p no:cacheprovider", self.top, 180) if suite else None

    def green(self, answers: Mapping[int, str]) -> bool | None:
        """Say whether the suite is green with these edits; None if it is not to be run."""
        if self.suite is None:
            return None
        made = {number: code for number, code in answers.items() if number in self.sites and code != LEAVE}
        new = self.asked.edits(made)
        return self.suite.tested({self.asked.root.relative_to(self.top) / path: each for path, each in new.items()}).green

    def row(self, answers: Mapping[int, str], samples: int, *, suite: bool) -> dict[str, Any]:
        """Return one row of the table."""
        green = {"green": self.green(answers)} if suite else {}
        return {**counted(self.asked, answers, self.sites), "samples": samples, **green}


def rows(package: Package) -> dict[str, Any]:
    """Return the rows of a package."""
    found: dict[str, Any] = {"sites": len(package.sites), "safely_fixed": len(package.safe), "green_before": package.green({})}
    wrong: dict[tuple[int, str], str] = {}

    def add(name: str, answers: Mapping[int, str], samples: int = 0, *, suite: bool = True) -> None:
        found[name] = package.row(answers, samples, suite=suite)
        for number in package.sites:
            code = answers.get(number)
            if code not in {None, LEAVE} and (why := why_wrong(package.asked.items[number - 1], str(code))) is not None:
                wrong[number, str(code)] = why
        print(package.name, name, json.dumps(found[name]), flush=True)

    add("fixer, unsafe fixes", fixes(package.asked, unsafe=True))
    program = {
        n: code for n, site in enumerate(package.program.items, start=1) if (code := package.program.given(site)) is not None
    }
    add("program alone", {number: str(code) for number, code in program.items()})
    for check in (True, False):
        with_check = "with check" if check else "without check"
        for seed in SEEDS:
            add(
                f"single, {with_check}, seed {seed}",
                *voted(package.asked, seed=seed, check=check, k=1, within=None, one=True),
                suite=seed == SEEDS[0],
            )
        add(f"voted, {with_check}", *voted(package.asked, seed=1, check=check, k=3, within=None))
        add(f"passing, {with_check}", *voted(package.asked, seed=1, check=check, k=3, within=3))
    add("program, then passing, with check", *voted(package.program, seed=1, check=True, k=3, within=3))
    found["wrong_but_green"] = alone(package, wrong)
    return found


def alone(package: Package, wrong: Mapping[tuple[int, str], str]) -> dict[str, Any]:
    """Try some wrong edits alone."""
    drawn = random.Random(1).sample(sorted(wrong), min(ALONE, len(wrong)))
    greens = [package.green({number: code}) for number, code in drawn]
    shown = [
        {"site": package.asked.items[number - 1]["code"][:120], "edit": code[:120], "why": wrong[number, code], "green": green}
        for (number, code), green in zip(drawn, greens, strict=True)
    ]
    return {"wrong": len(wrong), "tried": len(drawn), "green": sum(map(bool, greens)), "edits": shown}


def main() -> None:
    """Print the rows of each package, and keep them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=PACKAGES)
    parser.add_argument("--no-suite", action="store_true", help="run no suite of a package")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    found = {}
    for name in PACKAGES:
        if args.only in {None, name}:
            found[name] = rows(Package(name, not args.no_suite))
            if args.out:
                args.out.write_text(json.dumps({"model": MODEL, "packages": found}, indent=2) + "\n")


if __name__ == "__main__":
    main()
