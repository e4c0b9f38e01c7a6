"""The tables of docs/evidence.md: from each result file to its tables."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, TypeAlias

Rows: TypeAlias = list[tuple[str, ...]]


class Table(NamedTuple):
    """A table of a section."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    title: str = ""

    def text(self) -> str:
        """Return it as Markdown."""
        lines = [self.head, ["---"] * len(self.head), *self.rows]
        table = "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)
        return f"{self.title}\n\n{table}" if self.title else table


def percent(share: float | None, digits: int = 1) -> str:
    """Return a share as text.

    >>> percent(0.0536), percent(1.0), percent(0.0005), percent(None)
    ('5.4 %', '100 %', '0.05 %', '-')
    """
    if share is None:
        return "-"
    if 0 < share < 0.001:
        return f"{100 * share:.2g} %"
    return f"{100 * share:.{digits}f}".removesuffix(".0") + " %"


def spread(interval: Sequence[float]) -> str:
    """Return an interval of shares as text, in brackets.

    >>> spread([0.0123, 0.2])
    '(1.2 to 20 %)'
    """
    low, high = (percent(each) for each in interval)
    return f"({low.removesuffix(' %')} to {high})"


VOTES = {
    "gsm8k_gpt-4o-mini": "Grade-school maths (GSM8K), GPT-4o mini",
    "dates": "Dates, Gemma 3",
    "assertions": "Assertions, Gemma 3",
    "dates150": "150 other dates, Gemma 3",
}
"""The files of votes of real models, in words."""


def rules(found: Any) -> Iterable[Table]:
    """Yield what `real_votes.py` measured."""
    for name, file in found["files"].items():
        yield _of_rules(VOTES[name], file)
    yield _kept(found)
    if heats := {name: row for name, row in found["temperatures"].items() if "correlation" in row}:
        yield _heats(heats)


def _of_rules(name: str, file: Any) -> Table:
    cells = [
        (_rule(rule), f"{percent(row['wrong'])} {spread(row['interval'])}", percent(row["decided"]), f"{row['samples']:.1f}")
        for rule, row in file["rules"].items()
        if row["wrong"] is not None
    ]
    nothing = " and by the ".join(_rule(rule) for rule, row in file["rules"].items() if row["wrong"] is None)
    note = f" Nothing was proved by the {nothing}." if nothing else ""
    title = f"**{name}**: {file['rows']:,} questions, {file['samples']} samples of each.{note}"
    return Table(("rule", "wrong among the decided", "decided", "samples a question"), cells, title)


def _rule(name: str) -> str:
    return name.replace("plan by labels, ", "plan by labels for ")


def _kept(found: Any) -> Table:
    cells = [
        (
            VOTES[name],
            f"{each['target']:g}",
            how,
            *(percent(each[key]) for key in ("kept", "certified", "decided_where_certified")),
        )
        for name, file in found["files"].items()
        for how, told in file["guarantee"].items()
        for each in told
    ]
    draws = f"{found['draws']:,} draws of labelled questions"
    title = (
        f"**Does a plan from labels keep its promise?** A plan was made from each of {draws}. Its promise must be kept in 95 % "
        f"of them."
    )
    return Table(("votes", "target", "rules were", "promise kept", "anything proved", "decided then"), cells, title)


def _heats(heats: Any) -> Table:
    cells = [
        (
            name.removeprefix("m at "),
            percent(row["right"]),
            f"{row['correlation']:.2f}",
            *(f"{percent(row[k]['wrong'])} of {percent(row[k]['decided'])}" for k in ("2 of 2", "3 of 3", "5 of 5")),
        )
        for name, row in heats.items()
    ]
    head = ("temperature", "right", "correlation", "2 of 2 agree: wrong, of the decided", "3 of 3", "5 of 5")
    return Table(head, cells, "**The dates at three temperatures.**")


ASKED = {
    "base": "as in the section before",
    "cold": "at a low temperature",
    "variant2": "in other words",
    "hot": "at a high temperature",
    "second": "of another model",
    "json": "as JSON, without a schema",
    "structured": "as JSON, with a schema",
}
"""The sets of votes on the same dates: how they were asked."""


def home_model(found: Any) -> Iterable[Table]:
    """Yield what `real_model.py` measured."""
    head: tuple[str, ...] = (
        "how the dates were asked",
        "can be read",
        "right, of those",
        "correlation",
        "5 of 5 agree",
        "wrong, of those",
    )
    yield Table(
        head,
        [
            (
                f"{ASKED[name]}: {row['questions']} questions, {row['samples']} samples, temperature {row['temperature']:g}",
                percent(row["readable"]),
                percent(row["right"]),
                f"{row['correlation']:.2f}",
                percent(row["5_of_5"]["decided"]) if "5_of_5" in row else "-",
                f"{percent(row['5_of_5']['wrong'])} {spread(row['5_of_5']['interval'])}" if "5_of_5" in row else "-",
            )
            for name, row in found["sets"].items()
        ],
    )
    yield Table(
        ("check", "wrong answers that it catches", "right answers that it loses", "wrong among what is left"),
        [
            (
                row["what"],
                f"{percent(row['wrong_caught'])} {spread(row['interval'])}",
                percent(row["right_passed_on"]),
                f"{percent(row['wrong_left'])} {spread(row['interval_left'])}",
            )
            for row in found["caught"]
        ],
        "**Some answers are wrong although five samples agree. What catches them?** The samples are those of the first row.",
    )


def steps_of_problems(found: Any) -> Iterable[Table]:
    """Yield what a real model made of word problems."""
    for title in ("each step by itself", "problems of two steps"):
        ways = found[title]
        yield Table(
            ("way", "right", "wrong", "passed on", "samples a step"),
            [(way, *(str(count) for count in counts_of(row)), f"{row['samples_a_step']:.1f}") for way, row in ways.items()],
            f"**{title.capitalize()}**: there are {sum(counts_of(ways['single sample']))}.",
        )


def counts_of(row: Any) -> tuple[int, int, int]:
    """Return how many steps or problems were right, wrong and passed on."""
    if "steps" in row:
        return row["right"], row["wrong"], row["passed"]
    right = row["problems"] - row["wrong_problems"] - row["passed_problems"]
    return right, row["wrong_problems"], row["passed_problems"]


def simulated_problems(found: Any) -> Iterable[Table]:
    """Yield what a simulated model made of word problems."""
    for title, table in found.items():
        if isinstance(table, dict) and "ways" in table:
            caught = f"The verifier catches {percent(table['caught']['all'])} of the mistakes."
            yield Table(
                ("way", "right", "wrong", "passed on", "samples a step"),
                [
                    (way, *(str(count) for count in counts_of(row)), f"{row['samples_a_step']:.1f}")
                    for way, row in table["ways"].items()
                ],
                f"**Mistakes in: {title}.** {found['draws'] * found['problems']} problems. {caught}",
            )


def real_prices(found: Any) -> Iterable[Table]:
    """Yield what a real model made of prices."""
    for title in ("all rows", "rows that price-parser leaves"):
        rows = {way: row for way, row in found[title].items() if isinstance(row, dict)}
        cells = [(way, str(row["decided"]), str(row["wrong"]), f"{samples_of(row):.1f}") for way, row in rows.items()]
        yield Table(("way", "decided", "wrong", "samples a row"), cells, f"**{title.capitalize()}** ({found[title]['rows']}).")
    parser = found["price-parser"]
    yield Table(
        ("", "decided", "wrong", "open"), [("price-parser alone", *(str(parser[key]) for key in ("decided", "wrong", "open")))]
    )


def samples_of(row: Any) -> float:
    """Return the samples a row."""
    return float(row["samples_a_row"] if "samples_a_row" in row else row["samples"] / row["rows"])


def emitted(found: Any) -> Iterable[Table]:
    """Yield what `emit.py` measured."""
    cells: Rows = [
        (
            {"plain": "one call", "emit": "two calls"}[way],
            percent(row["malformed"]),
            percent(row["wrong_of_valid"]),
            percent(row["right_of_all"]),
            f"{row['rho']:.2f}",
            f"{row['input_a_sample'] + row['output_a_sample']:,.0f}",
        )
        for way, row in found["real"].items()
    ]
    head: tuple[str, ...] = (
        "a sample is",
        "malformed",
        "wrong, of the valid",
        "right, of all",
        "correlation",
        "tokens a sample",
    )
    yield Table(head, cells, f"**A real model**: {found['model']}.")
    head = ("world", "a sample is", "malformed", "wrong, of the valid", "ahead by 3: wrong", "left open", "calls")
    cells = [
        (
            world,
            {"plain": "one call", "emit": "two calls"}[way],
            percent(row["malformed"]),
            percent(row["wrong_of_valid"]),
            *(percent(row["voted"]["ahead by 3"][key]) for key in ("wrong", "open")),
            f"{row['voted']['ahead by 3']['calls']:.1f}",
        )
        for world, ways in found["simulated"].items()
        for way, row in ways.items()
    ]
    yield Table(head, cells, "**A simulated model.**")


def agent_votes(found: Any) -> Iterable[Table]:
    """Yield what an agent made of messages."""
    cells: Rows = [
        (_of_leads(rule), *(str(row[key]) for key in ("messages", "wrong", "undecided", "samples", "flagged")))
        for rule, row in found.items()
        if isinstance(row, dict)
    ]
    yield Table(("rule", "messages", "wrong", "left to a person", "samples", "red-flagged"), cells)


def _of_leads(settings: str) -> str:
    """Return a rule in words.

    >>> [_of_leads(rule) for rule in ("k=1", "k=2", "k=3, within=5", "k=3, within=3")]
    ['single samples', 'ahead by 2', 'ahead by 3 within 5', '3 of 3']
    """
    k, _, within = settings.removeprefix("k=").partition(", within=")
    if k == within:
        return f"{k} of {k}"
    return f"ahead by {k} within {within}" if within else "single samples" if k == "1" else f"ahead by {k}"


AGENTS = {"one prompt with a tool": "one agent with a tool", "most of 5 loops": "at least 3 of 5 such agents"}
"""Ways to answer questions about a database, in words."""


def flows(found: Any) -> Iterable[Table]:
    """Yield what `sql_flow.py` measured: on a simulated model with and without correlation, or on a real one."""
    groups = {key: group for key, group in found.items() if isinstance(group, dict) and "rho" in group}
    for title, group in (groups or {"": found}).items():
        cells = [
            (
                str(AGENTS.get(way, way)),
                *(f"{row[key]:g}" for key in ("right", "wrong", "open", "calls")),
                f"{row['dollars']:.3f}" if "dollars" in row else "-",
            )
            for way, row in group.items()
            if isinstance(row, dict)
        ]
        name = (
            f"**{title.capitalize()}**, of {found['questions']} questions." if title else f"Of {found['questions']} questions."
        )
        yield Table(("way", "right", "wrong", "left open", "calls", "dollars"), cells, name)


def chain(found: Any) -> Iterable[Table]:
    """Yield what `chain.py` measured."""
    keys = ("runs", "wrong in silence", "stopped and said where", f"right for {found['steps']} steps", "samples a run")
    cells: Rows = [(row["method"], *(f"{row[key]:g}" for key in keys)) for row in found["table"]]
    yield Table(("rule", *keys), cells)


def million(found: Any) -> Iterable[Table]:
    """Yield what the run of full length came to."""
    cells: Rows = []
    for number, attempt in enumerate(found, start=1):
        cells += [(f"attempt {number}", attempt["outcome"]), ("its command", f"`{attempt['command']}`")]
    last, told = found[-1], found[-1]["verify"]
    worlds = {"independent": "independent", "correlated": "correlated", "rivals": "correlated and wrong answers differ"}
    chances = ", ".join(f"{last['predicted_chance'][name]:g} if errors are {world}" for name, world in worlds.items())
    cells += [
        ("chance of no error, stated before the run", chances),
        ("steps", f"{told['steps']:,} of {told['total']:,}"),
        ("samples", f"{told['samples']:,}"),
        ("votes for another answer than the winner", f"{told['outvoted']:,}"),
        ("red flags", ", ".join(f"{flag} {number:,}" for flag, number in told["flags"].items())),
        ("killed at", last["killed_at"]),
        ("seconds from a resume to the next commit", f"{last['seconds_from_resume_to_next_commit'][0]['seconds']:g}"),
        ("minutes at work", f"{last['minutes_at_work']:g}"),
        (
            "memory at a tenth and at the end",
            f"{last['memory_mb_at_10_percent']:.0f} and {last['memory_mb_at_the_end']:.0f} MB",
        ),
        ("disk", f"{last['disk_mb']:g} MB"),
        ("remark", last["remark"]),
    ]
    yield Table(("what", "figure"), cells)


def method(found: Any) -> Iterable[Table]:
    """Yield what each part of the method does on the tiny model."""
    ends = ("right", "wrong", "undecided")
    cells: Rows = [
        (row["method"], *(str(row[end]) for end in ends), f"{row['steps_in_the_median']:,}", f"{row['samples_per_step']:.2f}")
        for row in found["methods"]
    ]
    title = (
        f"**{found['runs']} whole runs of {found['disks']} disks.** A run ends at its first wrong step, or at an undecided one."
    )
    yield Table(("method", "runs without an error", "wrong", "undecided", "steps done, median", "samples a step"), cells, title)
    cells = [
        (str(row["k"]), f"{row['promised']:.3f}", f"{row['independent']:.3f}", f"{row['outcome']:.2f}")
        for row in found["plans"]
    ]
    title = (
        "**Does a plan keep its promise?** It promises a share of runs without an error. The outcome is that of the rows with "
        "*no check*."
    )
    yield Table(("k", "promised, for correlated errors", "promised, for independent errors", "outcome"), cells, title)


def curated(found: Any) -> Iterable[Table]:
    """Yield what a simulated model made of two tables."""
    for name in ("prices", "addresses"):
        yield _ways(name, found[name]["all rows"])
        yield _chosen(name, found[name]["ten minutes"])


def _ways(name: str, ways: Any) -> Table:
    cells = [
        (
            way,
            *(f"{row.get(key, 0):,}" for key in ("rows", "by_program", "open", "wrong", "samples")),
            f"{row['dollars']:.3f}" if "dollars" in row else "-",
        )
        for way, row in ways.items()
    ]
    head = ("way", "rows", "by the program", "left open", "wrong", "samples", "dollars")
    return Table(head, cells, f"**{name.capitalize()}, all rows.**")


def _chosen(name: str, runs: Any) -> Table:
    cells = [
        (
            row["program"] or "none",
            str(row["seed"]),
            row["chosen"].replace(" at ", ", at temperature "),
            "yes" if row["proved"] else "no",
            percent(row["wrong_share"]),
            percent(row["majority_wrong_share"]),
        )
        for row in runs
    ]
    head = (
        "program first",
        "seed",
        "chosen rule",
        "target proved",
        "wrong, of those decided by vote",
        "a majority of 5 on the same rows",
    )
    return Table(head, cells, f"**{name.capitalize()}, the rule chosen by 400 labelled rows.**")


def million_rows(found: Any) -> Iterable[Table]:
    """Yield what the run of a million rows came to."""
    resumed = ", ".join(
        f"{each['seconds']:.0f} s at row {each['step']:,}" for each in found["seconds_from_resume_to_next_commit"]
    )
    cells: Rows = [
        ("rows", f"{found['rows']:,}"),
        ("rows that are wrong, missing or in another place", str(found["wrong_missing_or_displaced_rows"])),
        ("killed with SIGKILL at", ", ".join(percent(each, 0) for each in found["killed_at"])),
        ("from a resume to the next commit", resumed),
        ("model calls made, and needed", f"{found['calls']:,} and {found['calls_needed']:,}"),
        ("rows a second", f"{found['rows_per_second']:.0f}"),
        (
            "memory at a tenth and at the end",
            f"{found['memory_mb_at_10_percent']:.0f} and {found['memory_mb_at_the_end']:.0f} MB",
        ),
        ("journal", f"{found['journal_bytes_a_row']:g} bytes a row"),
    ]
    yield Table(("what", "figure"), cells)


def decomposed(found: Any) -> Iterable[Table]:
    """Yield what splitting and voting made of problems."""
    cells: Rows = [
        (
            _problem(row["kind"]),
            row["asked"],
            str(row["k"]),
            f"{row['right']} of {row['problems']}",
            f"{row['steps']:g}",
            f"{row['samples']:g}",
        )
        for row in found["rows"]
    ]
    yield Table(("problem", "asked", "k", "right", "steps", "samples"), cells)


def _problem(kind: str) -> str:
    """Return a kind of problems in words.

    >>> _problem("5x5 digits"), _problem("sort 16 numbers")
    ('two numbers of 5 digits', 'sort 16 numbers')
    """
    digits, by, rest = kind.partition("x")
    return f"two numbers of {digits} {rest.partition(' ')[2]}" if by else kind


def ledger(found: Any) -> Iterable[Table]:
    """Yield what the audit of a ledger came to."""
    table = found["table"]
    keys = ("right", "wrong", "missed", "open")
    cells: Rows = [
        (way, *(f"{row[key]:g}" for key in keys), percent(row["precision"]), percent(row["recall"]), f"{row['samples']:,.0f}")
        for way, row in table["ways"].items()
    ]
    faults = f"{table['faults']} planted faults, of which {table['faults_in_prose']} break a rule in prose"
    title = f"{table['entries']:,} entries with {faults}."
    head: tuple[str, ...] = ("way", "found", "false findings", "missed", "left open", "precision", "recall", "samples")
    yield Table(head, cells, f"{title} Means of {found['seeds']} seeds.")


def applications(found: Any) -> Iterable[Table]:
    """Yield what testing applications came to."""
    flaskr, pages = found["flaskr"], found["miniwob"]
    keys = ("mutants killed", "false alarms a run of the original", "false alarms a run of a mutant", "samples a run")
    cells: Rows = [(way, *(f"{flaskr[way][key]:g}" for key in keys)) for way in ("single", "voted")]
    title = (
        f"**flaskr**, the tutorial application of Flask: {flaskr['mutants']} faults, of which each mutant has one; "
        f"{flaskr['scenarios']} scenarios."
    )
    heads = ("", "faults found", "false alarms a run of the sound application", *keys[2:])
    yield Table(heads, cells, title)
    keys = ("episodes", "solved", "mean reward", "samples")
    cells = [(way, *(f"{pages[way][key]:g}" for key in keys)) for way in ("single", "voted")]
    yield Table(("", *keys), cells, "**MiniWoB**, ten small pages, each with a task and a reward that the page computes.")


def migrated(found: Any) -> Iterable[Table]:
    """Yield what a migration came to, summed over the packages."""
    packages = found["packages"].values()
    ways = [way for way, row in next(iter(packages)).items() if isinstance(row, dict) and "done" in row]
    keys = ("done", "left", "rightly_left", "open", "wrong", "samples")
    cells: Rows = [
        (
            way.replace("fixer, unsafe fixes", "another tool (ruff), unsafe fixes"),
            *(f"{sum(package[way][key] for package in packages):,}" for key in keys),
        )
        for way in ways
    ]
    sites = sum(package["sites"] for package in packages)
    title = f"{sites} sites of {', '.join(found['packages'])}."
    yield Table(("way", "rewritten", "left, though it could be done", "rightly left", "open", "wrong", "samples"), cells, title)


def paper(found: Any) -> Iterable[Table]:
    """Yield the paper's table of models, computed."""
    cells: Rows = [
        (
            row["model"],
            f"{row['error']:.2%}".replace("%", " %"),
            f"{row['k_min']} ({row['k_min_published']})",
            f"{row['cost_thousand_usd']:g} ({row['cost_published']:g})",
            str(row["k_min_if_correlated_at_.005"] or "none"),
        )
        for row in found["table"]
        if row["k_min"] is not None
    ]
    head: tuple[str, ...] = (
        "model",
        "wrong samples",
        "k (published)",
        "cost in thousand dollars (published)",
        "k if errors are correlated at .005",
    )
    yield Table(head, cells)


def passing(found: Any) -> Iterable[Table]:
    """Yield formulas of votes that pass, beside votes."""
    head: tuple[str, ...] = (
        "rule",
        "p",
        "correlation",
        "wrong: formula",
        "rule alone",
        "microsteps",
        "wrong replies twice as fast",
        "apart",
    )
    ways = ("formula", "rule_alone", "microsteps", "wrong_twice_as_fast")
    cells: Rows = [
        (
            row["rule"],
            f"{row['p']:g}",
            f"{row['rho']:g}",
            *(percent(row[way]["wrong"]) for way in ways),
            f"{max(row[way]['sigma'] for way in ways[1:]):.2f}",
        )
        for row in found["settings"]
    ]
    title = (
        f"{found['votes']:,} votes on the rule alone, {found['microsteps']:,} microsteps. *Apart* is the "
        "largest distance from the formula, in standard errors."
    )
    yield Table(head, cells, title)


def audits(found: Any) -> Iterable[Table]:
    """Yield how audits hold."""
    cells: Rows = [
        (f"{row['population']:,}", f"{row['wrong']:,}", percent(row["coverage"]), percent(row["exact_coverage"], 2))
        for row in found["coverage"]
    ]
    promised = percent(found["confidence"])
    title = f"**How often the bound is never below the truth**, in {found['audits']:,} audits each; {promised} is promised."
    yield Table(("steps", "wrong ones", "measured", "exact"), cells, title)
    cells = [
        (
            f"{row['population']:,}",
            percent(row["wrong_share"]),
            percent(row["bound_share"]),
            f"{row['labels_median']:,}",
            f"{row['labels_90_percent']:,}",
        )
        for row in found["labels"]
    ]
    yield Table(
        ("steps", "wrong", "until the bound is", "labels, median", "labels, in nine of ten audits"),
        cells,
        "**How many labels it takes.**",
    )


STATED = {"holds": "holds", "flagged": "too low, and the run warned", "silent": "too low, without a warning"}
"""What became of a stated share of wrong decisions, in words."""


def timeouts(found: Any) -> Iterable[Table]:
    """Yield what time-outs do to what is stated."""
    cells: Rows = [
        (
            f"{percent(row['lost'])}, {row['slow']} ones are slow{', on few questions' if row['hard'] else ''}",
            f"{percent(row['measured'][0])} {spread(row['measured'][1:])}",
            f"{percent(row['planned'])}: {STATED[row['plan']]}",
            f"{percent(row['certified'][0])} {spread(row['certified'][1:])}: {STATED[row['certificate']]}",
            str(row["warned_at"] or "never"),
        )
        for row in found["settings"]
    ]
    head: tuple[str, ...] = (
        "replies that are lost",
        "wrong decisions",
        "what the plan states",
        "what the certificate states",
        "the run warns at step",
    )
    yield Table(head, cells)


def many_items(found: Any) -> Iterable[Table]:
    """Yield how fast items go."""
    cells: Rows = [
        (
            name.replace("wide", "many at once"),
            f"{row['items']:,}",
            f"{row['items_per_second']:,.0f}",
            f"{row['memory_mb_at_a_tenth']:.0f} and {row['memory_mb_at_the_end']:.0f} MB",
            f"{row['journal_bytes_an_item']:g}",
            f"{row['samples_drawn']:,} and {row['samples_needed']:,}",
        )
        for name, row in found.items()
    ]
    head: tuple[str, ...] = (
        "items",
        "how many",
        "a second",
        "memory at a tenth and at the end",
        "bytes of journal an item",
        "samples drawn and needed",
    )
    yield Table(head, cells)


def cut_tables(found: Any) -> Iterable[Table]:
    """Yield what cutting a table into slices takes."""
    ways = ("whole", "cut", "slice")
    cells = [
        (
            form,
            f"{row['table_mb']:g} MB",
            *(f"{row[way]['cpu_seconds']:g} s, {row[way]['memory_mb']:g} MB" for way in ways),
        )
        for form, row in found.items()
        if isinstance(row, dict)
    ]
    title = f"{found['rows']:,} rows in {found['slices']} slices: seconds of one core, and memory."
    yield Table(("form", "table", "open it", "open it and cut it", "open one slice"), cells, title)


def sealed(found: Any) -> Iterable[Table]:
    """Yield what sealing a fleet takes."""
    cells: Rows = [
        (what, f"{found[f'cpu_seconds_{key}']:g} s")
        for what, key in (
            ("check, replay and write the results", "results"),
            ("the same again, and the report", "again_with_report"),
        )
    ]
    yield Table(("what is done", "seconds of one core"), cells, f"{found['rows']:,} items in {found['shards']} shards.")


def watched(found: Any) -> Iterable[Table]:
    """Yield what watching costs."""
    cells: Rows = [
        (
            f"{row['latency']:g} s",
            f"{row['steps_a_second']:g}",
            *(
                f"{row[key]['percent']:g} % ({row[key]['low']:g} to {row[key]['high']:g})"
                for key in ("slower", "more_processor_time")
            ),
        )
        for row in found["measured"]
    ]
    yield Table(("latency of the model", "steps a second", "slower while watched", "more processor time"), cells)


def sizes(found: Any) -> Iterable[Table]:
    """Yield what one core drives."""
    cells: Rows = [
        (
            name,
            f"{row['samples_per_cpu_second']:,.0f}",
            f"{row['cpu_ms_a_sample']:.1f} ms",
            f"{row['samples_per_second']:,.0f}",
        )
        for name, row in found["rows"].items()
    ]
    yield Table(
        ("model, latency, journal", "samples a second of one core", "processor time a sample", "samples a second"), cells
    )


def remote(found: Any) -> Iterable[Table]:
    """Yield what a run in Postgres takes beside one in SQLite."""
    cells: Rows = [
        (
            name,
            *(f"{row['wall_ms'][kind]:,.1f} ms" for kind in ("sqlite", "postgres")),
            f"{row['ratio']:.2f}",
            *(f"{row['cpu_ms'][kind]:,.1f} ms" for kind in ("sqlite", "postgres")),
        )
        for name, row in found.items()
        if isinstance(row, dict) and "wall_ms" in row
    ]
    heads = ("what", "SQLite", "Postgres", "times as long", "processor time: SQLite", "Postgres")
    yield Table(heads, cells, "**For each record or item, and for each run.** Medians of turns.")
    resume = found["resume"]
    seconds = ", ".join(f"{each:.1f} s" for each in resume["seconds"])
    yield Table(("resume at step", "time, measured three times"), [(f"{resume['step']:,}", seconds)])


def journals(found: Any) -> Iterable[Table]:
    """Yield how fast steps are committed, and how large they are."""
    post, lite = found["postgres"], found["sqlite"]
    batched = post["batched_steps_a_second_by_connections"]
    cells: Rows = [
        ("SQLite", "1", f"{lite['commits_a_second']:,}", f"{lite['batched_steps_a_second']:,}", f"{lite['bytes_a_step']:.0f}"),
        *(
            (
                f"Postgres {post['version']}",
                number,
                f"{commits:,}",
                f"{batched[number]:,}" if number in batched else "-",
                f"{post['bytes_a_step']:.0f}",
            )
            for number, commits in post["commits_a_second_by_connections"].items()
        ),
    ]
    yield Table(("journal", "connections", "commits a second", "steps a second, 100 at once", "bytes a step"), cells)


def capacity(found: Any) -> Iterable[Table]:
    """Yield what a journal in Postgres takes for each step."""
    cells: Rows = [
        (f"{int(name.split()[0]):,}", *(f"{row[f'{what}_bytes_a_step']:.0f}" for what in ("table", "index", "log")))
        for name, row in found.items()
        if name.endswith("at once")
    ]
    yield Table(("steps in a commit", "bytes of table a step", "bytes of index", "bytes of write-ahead log"), cells)
    yield Table(("bytes a step of a compressed dump (`pg_dump`)",), [(f"{found['backup']['bytes_a_step']:.0f}",)])


def limits(found: Any) -> Iterable[Table]:
    """Yield what a fleet's rate and purse come to while workers are killed."""
    rate, purse = found["rate"], found["purse"]
    cells: Rows = [
        (name.removeprefix("most_in_").replace("_", " "), f"{most:,}", f"{allowed:,.0f}")
        for name, (most, allowed) in ((name, row) for name, row in rate.items() if name.startswith("most_in_"))
    ]
    limit = f"{rate['rpm']:,} requests a minute for {rate['seconds']:.0f} s"
    title = f"**Rate.** {rate['workers']} workers, {rate['kills']} kills, {limit}."
    yield Table(("in any window of", "requests at most", "the rate says"), cells, title)
    counts: Rows = [(f"{purse['max_calls']:,}", f"{purse['made']:,}", f"{purse['counted']:,}", f"{purse['left']:,}")]
    title = f"**Purse.** {purse['workers']} workers, {purse['runs']} runs, {purse['kills']} kills."
    yield Table(("calls that the purse allows", "really made", "counted", "left"), counts, title)


ENGINES = {"dbos": "DBOS", "ray": "Ray"}

EVENTS = {"kill": "workers killed", "stop": "workers paused", "postgres": "Postgres killed", "driver": "driver killed"}
"""What happened to a fleet, in words."""


def fleet(found: Any) -> Iterable[Table]:
    """Yield what becomes of a fleet whose workers and database are killed, how soon it goes on, and how much faster it is."""
    cells: Rows = [
        (
            ENGINES[name],
            ", ".join(f"{told} {row['events'][event]} times" for event, told in EVENTS.items() if event in row["events"]),
            f"{row['steps']:,}",
            f"{row['lost']:,}",
            f"{row['doubled']:,}",
            f"{row['unlike_an_unharmed_fleet']:,}",
            f"{row['repaid_an_event']:.1f} (in flight: {row['in_flight_of_a_worker']})",
        )
        for name, row in found["campaign"].items()
    ]
    heads = (
        "engine",
        "events",
        "steps",
        "lost",
        "committed twice",
        "other than in the unharmed fleet",
        "calls paid again an event",
    )
    yield Table(heads, cells, "**Kills and pauses.**")
    cells = [
        (ENGINES[name], f"{row['lease']:g} s", f"{row['takeovers']}", f"{row['median']:.1f} s", f"{row['most']:.1f} s")
        for name, row in found["takeover"].items()
    ]
    yield Table(("engine", "lease", "takeovers", "median", "at most"), cells, "**Until another worker has the run.**")
    cells = [
        (ENGINES[name], workers, f"{row['seconds'][workers]:,.0f} s", f"{times:.2f}")
        for name, row in found["speed"].items()
        for workers, times in row["times"].items()
    ]
    yield Table(("engine", "workers", "seconds", "times as fast"), cells, "**More workers**, at 200 ms a call.")
    rows: Rows = [
        (
            ENGINES[name],
            f"{row['items']:,}",
            f"{row['workers']}",
            f"{row['kills']}",
            f"{row['lost']:,}",
            f"{row['doubled']:,}",
            f"{row['seconds']:,.0f} s",
            f"{row['memory_mb_first_half']:.0f} MB, {row['memory_mb_second_half']:.0f} MB",
        )
        for name, row in found["million"].items()
    ]
    columns = ("engine", "items", "workers", "kills", "lost", "committed twice", "time", "memory of a worker, by halves")
    yield Table(columns, rows, "**A million items**, one vote each.")


def partitions(found: Any) -> Iterable[Table]:
    """Yield what becomes of a machine that is cut off from Postgres."""
    seconds = found["seconds_after_the_packets_pass"]
    cells: Rows = [
        (name, str(found[key]), f"{seconds[key]['median']:g} s", f"{seconds[key]['most']:g} s")
        for name, key in (("is refused, as another has taken over", "refused"), ("goes on", "goes on"))
    ]
    heads = ("the first machine", "times", "how long after packets pass again: median", "at most")
    yield Table(heads, cells)


def noted(found: Any) -> Iterable[Table]:
    """Yield the figures that were noted by hand."""
    groups: dict[str, list[tuple[str, ...]]] = {}
    for row in found["rows"]:
        groups.setdefault(row["group"], []).append((row["what"], row["promised"], row["measured"], f"`{row['command']}`"))
    for group, rows in groups.items():
        yield Table(("what", "promised", "measured", "command"), rows, f"**{group}.**")
