"""Write docs/evidence.md from the result files of the benchmarks.

    python -m tests.benchmarks.evidence

Each section is about one result file. Its command is read from the docstring of the benchmark, and its figures from the file. A
test says when the page is stale, and when a result file has no section.
"""

import ast
import json
import re
import textwrap
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from tests.benchmarks import evidence_headlines as headlines
from tests.benchmarks import evidence_tables as tables
from tests.benchmarks.evidence_tables import Table

ROOT = Path(__file__).parents[2]
BENCHMARKS = Path(__file__).parent
RESULTS = BENCHMARKS / "results"
PAGE = ROOT / "docs" / "evidence.md"
WIDTH = 125

REAL, TINY, SIMULATED, NONE = "a real model", "the tiny model that ships", "a simulated model", "no model"

TOP = """# Evidence

This page is for those who want to check what the project claims. It shows what was measured, and with which command. The
[overview](#overview) says in short what each section shows.

## How to read this page

A program writes this page from the result files of the benchmarks (`python -m tests.benchmarks.evidence`). Only the figures of
the last two sections were copied by hand. The commands run from the top of a checkout. A command with `--out` replaces the
committed result file: to compare, give it another file. A command named `draw` needs a model, and writes its samples to a
file. A command named `table` makes the figures from that file. The samples of the dates are in the checkout already.

**What counts as evidence about a model.** A section says which model was asked.

- *A real model*: a language model that somebody else trained. What is measured holds for this model, this prompt and these
  questions.
- *The tiny model that ships*: a transformer that was trained for this project. It makes errors of its own, but nothing follows
  from them about other models.
- *A simulated model*: its error rate is an assumption. The section shows what the method and the code make of such errors,
  and is no evidence about any real model. Its settings stand in brackets, as `--model` takes them: `error=.1` means that one
  valid sample in ten is wrong, `rho` is the correlation, and `flagged` the share of samples with a red flag.
- *No model*: formulas, or the code alone.

**Words.** maker_graph asks a model several times, and the replies vote.

- A *sample* is one reply of a model. If it has a *red flag*, it is discarded. Otherwise it is a vote.
- *Ahead by 3*, or *a lead of 3*, decides once an answer has 3 votes more than any other. k is the lead.
- *Ahead by 3 within 5* does the same, but gives up if no answer can still win within 5 votes.
- *5 of 5*, or *ahead by 5 within 5*, decides only if five votes agree.
- *Confirmed by 3 of 4* decides if 3 of the next 4 votes agree with the first.
- A vote that gives up *passes* the question on, and somebody else must answer it, such as a better model or a person. So each
  table with such votes has two figures: how many questions are decided, and how many of these are wrong.
- *Correlation* says how much two samples of one question err together: 0 is independence, 1 means that they are copies.
- An interval in brackets is a 95 % interval.

The [glossary](glossary.md) explains the other words.

**Times** were measured on machines with two cores that did other work as well. They vary by a fifth or more from one run to
the next.

## Overview
"""


class Section(NamedTuple):
    """What one result file shows.

    Attributes:
        title: of the section.
        file: the name of the result file.
        model: which kind of model was asked.
        measured: what was measured, in sentences without figures of the outcome. An empty line ends a paragraph.
        tables: from the result to its tables.
        shows: from the result to what it shows, in a sentence or a few.
        benchmark: the module whose docstring has the command; that of the file's name if it is empty.
        more: a page that says more, as a link target beside this page.
        command: if the docstring does not name it.
    """

    title: str
    file: str
    model: str
    measured: str
    tables: Callable[[Any], Iterable[Table]]
    shows: Callable[[Any], str]
    benchmark: str = ""
    more: str = ""
    command: str = ""

    def found(self) -> Any:
        """Return the result."""
        return json.loads((RESULTS / f"{self.file}.json").read_text())

    def text(self) -> str:
        """Return the section as Markdown."""
        command = self.command or command_of(self.benchmark or self.file, self.file)
        page = Path(self.more.removesuffix("/README.md")).stem.replace("_", " ")
        more = f" More: [{page}]({self.more})." if self.more else ""
        found = self.found()
        name = found.get("model", "") if isinstance(found, dict) else ""
        settings = f"`sim:{name.removeprefix('sim:')}`" if "=" in name else name
        model = f" ({settings})" if name else ""
        head = [
            f"### {self.title}",
            "\n\n".join(textwrap.fill(part, WIDTH) for part in f"{self.measured}{more}".split("\n\n")),
            f"**{self.shows(found)}**",
            f"Model: {self.model}{model}. [All figures](../tests/benchmarks/results/{self.file}.json), from this command:",
            f"```text\n{command}\n```",
        ]
        return "\n\n".join([*head, *(table.text() for table in self.tables(found))])


def command_of(module: str, file: str) -> str:
    """Return the commands in the docstring of a benchmark that write a result file; all of them if none names it."""
    doc = docstring_of(BENCHMARKS / f"{module}.py")
    lines = re.findall(r"^    (python .*)$", doc, re.MULTILINE)
    naming = [line for line in lines if f"results/{file}.json" in line]
    drawing = [line for line in lines if "draw" in line.split() and naming and "table" in naming[0]]
    return "\n".join([*drawing, *naming] if naming else lines)


def docstring_of(path: Path) -> str:
    """Return the docstring of a module."""
    return ast.get_docstring(ast.parse(path.read_text()), clean=False) or ""


_VOTES = "tests/data/real_votes"

OF_REAL_VOTES = (
    f"python tests/benchmarks/real_votes.py gsm8k.jsonl:.95,.98 {_VOTES}/dates.jsonl:.8,.9 {_VOTES}/assertions.jsonl:.8,.9 "
    f"--temperatures .1={_VOTES}/dates_t0.1.jsonl .7={_VOTES}/dates.jsonl 1={_VOTES}/dates_t1.0.jsonl "
    "--out tests/benchmarks/results/real_votes.json"
)

SECTIONS: dict[str, list[Section]] = {
    "Real models": [
        Section(
            "Rules of voting, on votes of real models",
            "real_votes",
            REAL,
            "The questions are grade-school maths (asked of GPT-4o mini), dates in five forms, and assertions of unit tests "
            "(both asked of Gemma 3 with 270 million weights). Many samples of each question were drawn beforehand. Each "
            "rule of voting then gets these samples in random order, many times. Intervals are from a bootstrap over "
            "questions.\n\n"
            "`single` takes the first vote. Adaptive-Consistency, early-stopping, ConSol mSPRT and agreement are rules from "
            "the literature, which `tests/benchmarks/real_votes.py` names. A *plan by labels* chooses a rule on half of the "
            "questions, whose right answers it sees, and is measured on the other half. A sample with a red flag counts as "
            "a sample. A rule that asks for more samples than there are takes all of them.\n\n"
            "The answers on maths were recorded by the authors of ConSol (arXiv 2503.17587), and some of their labels are "
            "wrong. The answers are not part of this project, so that table cannot be made again from this checkout. The "
            "other votes, with what was asked, are in [`tests/data/real_votes`](../tests/data/real_votes/README.md). "
            "`gsm8k.jsonl` in the command stands for the votes on maths. Without it, and with another file for `--out`, the "
            "command makes the other tables again, in a minute or two. To measure on votes of your own, write them in the "
            "form that [planning](planning.md#labelled-steps) shows.",
            tables.rules,
            headlines.real_votes,
            command=OF_REAL_VOTES,
            more="planning.md",
        ),
        Section(
            "The same rules, on votes drawn at home",
            "real_votes_home",
            REAL,
            "Gemma 3 with 270 million weights was asked 150 other dates with another prompt. It errs more than in the "
            "section before. So what agreement is worth must be measured for each prompt.",
            tables.rules,
            headlines.real_votes_home,
            command="python tests/benchmarks/real_votes.py tests/data/real_votes/dates150.jsonl:.8,.9 --seeds 30 --draws 300 "
            "--out tests/benchmarks/results/real_votes_home.json",
            more="real_model.md",
        ),
        Section(
            "Agreement at three temperatures, and what catches an error in unison",
            "real_model",
            REAL,
            "The same 150 dates were asked again: at other temperatures, in other words, of another model, and as JSON "
            "without and with a schema.",
            tables.home_model,
            headlines.real_model,
            more="real_model.md",
        ),
        Section(
            "Word problems of two steps",
            "word_problems_real",
            REAL,
            "Each step is voted on in several ways. A rule alone sees all samples. *Verified* means that a verifier, "
            "which is a program, first discards each sample whose equation it finds wrong. Without a rule after it, the "
            "first sample that is left decides.",
            tables.steps_of_problems,
            headlines.word_problems_real,
            benchmark="word_problems",
            more="verifying.md",
        ),
        Section(
            "Prices, by a small model",
            "curate_real",
            REAL,
            "150 prices, written as shops write them, were each asked 8 times. The votes are compared with price-parser, "
            "a program for prices.",
            tables.real_prices,
            headlines.curate_real,
            more="curation.md",
        ),
        Section(
            "Form apart from answer",
            "emit",
            f"{REAL}, and {SIMULATED}",
            "A sample is one call that gives the answer in its form. Or it is two calls: one that reasons, and one that "
            "writes the answer down. The simulated model was measured in four worlds. They differ in what a malformed "
            "reply says about the answer.",
            tables.emitted,
            headlines.emit,
            more="emit.md",
        ),
        Section(
            "An agent that sorts messages",
            "agents",
            REAL,
            "An agent sorts messages: its model replies with one of four words. The middleware votes on the agent's model "
            "calls.",
            tables.agent_votes,
            headlines.agents,
            more="agents.md",
        ),
        Section(
            "Questions about a database, by a small model",
            "sql_flow_real",
            REAL,
            "The model is too small for the task. The section shows what happens then: no question is answered, "
            "rightly or wrongly.",
            tables.flows,
            headlines.sql_flow_real,
            benchmark="sql_flow",
            more="state_flow.md",
        ),
    ],
    "The tiny model that ships": [
        Section(
            "A chain that goes wrong in silence",
            "chain",
            f"{TINY}; the stronger model is simulated",
            "The tiny model solves the Towers of Hanoi. At the first step with 9 disks it takes the wrong way in half of "
            "its samples, by a legal move, so no check sees it. The steps are voted on by a plain lead, and by rules that "
            "pass contested steps.",
            tables.chain,
            headlines.chain,
            more="passing.md",
        ),
    ],
    "Simulated models": [
        Section(
            "The full length: 1,048,575 steps",
            "million",
            SIMULATED,
            "The Towers of Hanoi with 20 disks are solved through the command line. The process is killed on the way and "
            "resumed. The chance of success was written down before the run. Every attempt is listed.",
            tables.million,
            headlines.million,
        ),
        Section(
            "Prices and addresses",
            "curate",
            SIMULATED,
            "Records are made of two real data sets, prices and addresses, whose right records are known. For each of them "
            "there are two tables. In the first one each way is a run of all rows. In the second one 400 labelled rows choose "
            "the rule, which then votes on the other rows.",
            tables.curated,
            headlines.curate,
            more="curation.md",
        ),
        Section(
            "A million rows",
            "curate_million",
            SIMULATED,
            "A program answers most rows, and a model behind HTTP answers the others. The process is killed three times "
            "and resumed.",
            tables.million_rows,
            headlines.curate_million,
            more="curation.md",
        ),
        Section(
            "Problems that are split",
            "decompose",
            SIMULATED,
            "The problems are products of two numbers, and lists of numbers to sort. The more the model is given at once, "
            "the more often it errs. A problem is asked at once, or it is split first, and every part is voted on.",
            tables.decomposed,
            headlines.decompose,
        ),
        Section(
            "Word problems of three steps",
            "word_problems",
            SIMULATED,
            "Each table is for other mistakes. In the first they are in the arithmetic, and in the second in setting up the "
            "equation. In the third, half of them are of each kind, and on some steps all samples make the same mistake (in "
            "unison). *Verified* means that a verifier first discards each sample whose equation it finds wrong. It sees "
            "all mistakes in the arithmetic, and some in the set-up.",
            tables.simulated_problems,
            headlines.word_problems,
            more="verifying.md",
        ),
        Section(
            "The audit of a ledger",
            "ledger",
            SIMULATED,
            "A program checks what it can. The model judges the entries that fall under rules in prose.",
            tables.ledger,
            headlines.ledger,
            more="../examples/ledger/README.md",
        ),
        Section(
            "Tests of an application in a browser",
            "app_testing",
            SIMULATED,
            "The model chooses what to press and judges what it sees, by single samples or by votes. A *mutant* is the "
            "application with one fault. A *false alarm* is a scenario that fails although the application does what it "
            "expects.",
            tables.applications,
            headlines.app_testing,
            more="../examples/app_testing/README.md",
        ),
        Section(
            "A migration of code",
            "migrate",
            SIMULATED,
            "`%` formatting is rewritten in three packages, one place in the code (*site*) after the other. To see "
            "whether an edit is right, the old and the new code are compared on values of all types that their expressions "
            "can have. The task's check makes the same comparison. So in the rows with the check no edit can count as wrong, "
            "and they show only what the check costs. The first row is the automatic edits of another tool.",
            tables.migrated,
            headlines.migrate,
            more="migration.md",
        ),
        Section(
            "Questions about a database",
            "sql_flow",
            SIMULATED,
            "The tables compare one agent with a tool, the answer of at least three of five such agents, and a state flow "
            "with and without votes. Errors on one question are correlated in the first table (rho = .4) and independent "
            "in the second.",
            tables.flows,
            headlines.sql_flow,
            more="state_flow.md",
        ),
        Section(
            "Time-outs that drop right answers",
            "timeouts",
            SIMULATED,
            "If right answers take longer than wrong ones, a time-out drops more of the right ones, and the vote errs "
            "more often. Do the plan and the certificate still state enough errors, or does the run warn? *Holds* means "
            "that the stated share of wrong decisions is not below the measured interval.",
            tables.timeouts,
            headlines.timeouts,
        ),
        Section(
            "Independent items",
            "items",
            SIMULATED,
            "The table shows how many items are decided a second, in how much memory, and whether more samples were drawn "
            "than needed. *Program* items are answered by a program, and *voted* items by a model that takes no time. Of "
            "the items in the row *stuck*, 74 get no reply that can be read. In the last two rows a reply takes 100 ms.",
            tables.many_items,
            headlines.items,
        ),
        Section(
            "A table that is cut into slices",
            "slices",
            NONE,
            "A table is opened. It is cut into slices for a fleet, which is many runs that several machines share. One "
            "slice in the middle is opened as a worker opens it.",
            tables.cut_tables,
            headlines.slices,
            more="many_machines.md",
        ),
        Section(
            "A fleet that is sealed",
            "sealing",
            NONE,
            "A fleet is many runs in one database, and each of them works on a slice (*shard*) of the items. The finished "
            "shards are checked and replayed as one run, and their results are written in order. Then it is done once "
            "more, with the report.",
            tables.sealed,
            headlines.sealing,
            more="many_machines.md",
        ),
        Section(
            "One rate and one purse for all",
            "fleet_limits",
            NONE,
            "Four processes share the limits of a fleet, and some are killed. The *purse* is the number of calls that all "
            "of them together may make. The machine was busy. A window of much less than a second can hold more requests "
            "than the rate says, because a request may be late by 20 ms.",
            tables.limits,
            headlines.limits,
            more="many_machines.md",
        ),
        Section(
            "A machine that is cut off",
            "partition",
            NONE,
            "Two network namespaces stand for two machines. At a random moment the packets of the first one to Postgres "
            "are dropped. In half of the cases the second one takes over its run.",
            tables.partitions,
            headlines.partition,
            more="many_machines.md",
        ),
        Section(
            "A fleet under fire",
            "fleet",
            SIMULATED,
            "Workers that own runs are killed, or paused for some seconds, and Postgres is killed. DBOS and Ray are the "
            "two engines that hand runs to workers; with Ray, the process that does this (the *driver*) is killed too. At "
            "the end the journals are compared, vote by vote, with those of a fleet that nobody harmed, and with what "
            "each worker had reported before it died. A *lease* is how long a worker may be silent until another one takes "
            "its runs. The machine was busy with other work. Takeovers and speed were measured at a raised priority.",
            tables.fleet,
            headlines.fleet,
            more="many_machines.md",
            command="\n".join(
                f"python -m tests.benchmarks.fleet {part}"
                for part in (
                    "campaign --engine dbos --events 200 --workers 3 --every 2.5",
                    "campaign --engine ray --events 200 --workers 1 --every 2",
                    "takeover --engine dbos --events 30",
                    "takeover --engine ray --events 16 --every 5",
                    "speed --engine dbos",
                    "million --engine dbos",
                )
            ),
        ),
        Section(
            "How many samples one core drives",
            "sizing",
            SIMULATED,
            "Items are voted on with two votes each, and 512 samples are in flight. `simulated` has the model in the "
            "process of the worker. `http` has the OpenAI client and HTTP between the worker and the model. `chain` is "
            "the Towers of Hanoi, one step after the other. The time is processor time of the worker, so other work of "
            "the machine hardly matters.",
            tables.sizes,
            headlines.sizing,
            more="many_machines.md",
        ),
        Section(
            "A run in Postgres beside a run in a directory",
            "remote",
            SIMULATED,
            "The same items are run with the journal in Postgres and in SQLite, in turns, on one machine that did nothing "
            "else. *Start and end* is a run of one step. *Resume* is for a run of Hanoi that another machine has brought "
            "to a step. Its time is from the start of a new process, which has nothing of the run, to the next commit.",
            tables.remote,
            headlines.remote,
            more="many_machines.md",
        ),
        Section(
            "Commits to Postgres",
            "journals",
            NONE,
            "Steps are appended one at a time, and a hundred at once, over one connection and over several. Postgres "
            "shares the two cores with the writers.",
            tables.journals,
            headlines.journals,
            more="many_machines.md",
        ),
        Section(
            "What a journal in Postgres takes",
            "capacity",
            NONE,
            "The decisions of a simulated run are committed one at a time, and also 100 and 1,000 at once, as items are.",
            tables.capacity,
            headlines.capacity,
            more="many_machines.md",
        ),
        Section(
            "What watching costs",
            "watch",
            SIMULATED,
            "A run is done again and again, by turns with and without a browser that watches it.",
            tables.watched,
            headlines.watch,
            more="watch.md",
        ),
    ],
    "Formulas": [
        Section(
            "The table of the paper",
            "paper",
            NONE,
            "The formulas (Eqs. 14 and 17 of the paper) give k and the cost of the Towers of Hanoi with 20 disks, if the "
            "chance of no error is to be .95. They are computed for each error rate in the table of the paper's figure "
            "6b. The published figure stands in brackets. `maker-graph plan --plot FOLDER` draws figures 3 to 5 from the "
            "formulas. A tenth model, which is wrong more often than right, has no k.",
            tables.paper,
            headlines.paper,
        ),
        Section(
            "Votes that pass",
            "passing",
            NONE,
            "The formulas give the shares of right, wrong and passed steps. They are compared with simulated votes on the "
            "rule alone and with whole microsteps, also with wrong replies that come twice as fast.",
            tables.passing,
            headlines.passing,
            more="passing.md",
        ),
        Section(
            "Audits",
            "audit",
            NONE,
            "An audit bounds the share of wrong steps from labels of random steps. One may look at the bound after each "
            "label. It must not be below the truth at any look.",
            tables.audits,
            headlines.audit,
            more="audit.md",
        ),
    ],
    "Written down by hand": [
        Section(
            "What each part of the method does",
            "method",
            TINY,
            "The puzzle is the Towers of Hanoi. The rows differ in the rule, in the red flags, in the check of the rules "
            "of the puzzle, and in the ladder (what is tried next if a step is stuck). The command takes half an hour. "
            "The figures were copied from what it printed.",
            tables.method,
            headlines.method,
            command="python tests/benchmarks/method.py --plan --json",
        ),
        Section(
            "Other measurements",
            "noted",
            f"{SIMULATED} or {NONE}, if nothing else is said",
            "These commands print their figures and keep no file. The figures were copied from what they printed. A "
            "command with `-m campaign` takes minutes. *Promised* is what was written down before the measurement.",
            tables.noted,
            headlines.noted,
            command="the command in the last column of each row",
        ),
    ],
}


def page() -> str:
    """Return the whole page."""
    parts = [TOP.strip()]
    overview = [
        (f"[{section.title}](#{anchor(section.title)})", section.model, section.shows(section.found()))
        for sections in SECTIONS.values()
        for section in sections
    ]
    parts.append(Table(("section", "model", "what it shows"), overview).text())
    for title, sections in SECTIONS.items():
        parts += [f"## {title}", *(section.text() for section in sections)]
    return "\n\n".join(parts) + "\n"


def anchor(title: str) -> str:
    """Return the anchor of a heading.

    >>> anchor("The full length: 1,048,575 steps")
    'the-full-length-1048575-steps'
    """
    return re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")


def main() -> None:
    """Write the page."""
    PAGE.write_text(page())
    print(PAGE)


if __name__ == "__main__":
    main()
