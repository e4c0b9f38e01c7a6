"""A page about a test: how each scenario ended, and each of its actions with its ballot and a picture of the page.

It is written from the journal of the run, beside the pictures. The run has a report of its own (`maker-graph report RUN`) on
samples, votes and costs. This page shows what was seen.
"""

import html
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from examples.app_testing.testing import AppTest, told
from maker_graph import Run
from maker_graph.files import replacing

HEAD = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Test</title>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src 'self'; style-src 'unsafe-inline'">
<style>
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
.pass { color: #0a6 } .fail { color: #c22 } li { margin: .6rem 0 } code { background: #f3f3f3 }
img { display: block; max-width: 22rem; border: 1px solid #ccc; margin: .3rem 0 }
.ballot { color: #666 }
</style>
"""


def write_page(run: Run, page: Path) -> None:
    """Write the page about a run to `page`, in the folder of the driver, where the pictures are in `shots`.

    Raises:
        UsageError: a file cannot be written there.
    """
    task = run.task
    assert isinstance(task, AppTest)  # noqa: S101  it is a run of this task
    with replacing(page) as file:
        file.write(HEAD)
        file.writelines(_body(run, task))


def _body(run: Run, task: AppTest) -> Iterator[str]:
    state: dict[str, Any] = task.start()
    steps: list[str] = []
    ended: list[tuple[dict[str, Any], list[str]]] = []
    for step in run.steps():
        answer: Any = step.answer
        before, state = state, task.apply(state, answer)
        steps += _told(before, answer, dict(step.ballot))
        if len(state["results"]) > len(before["results"]):
            ended.append((state["results"][-1], steps))
            steps = []
    failed = sum(result["verdict"] == "fail" for result, _ in ended)
    yield f"<h1>{len(ended)} of {len(task.scenarios)} scenarios tested, {failed} failed</h1>\n"
    for number, scenario in enumerate(task.scenarios):
        result, those = ended[number] if number < len(ended) else (None, steps if number == len(ended) else [])
        verdict = result["verdict"] if result else "not ended"
        yield f'<h2 class="{verdict}">{html.escape(scenario.name)}: {verdict}</h2>\n'
        yield f"<p>{html.escape(scenario.goal)}<br>Expected: {html.escape(scenario.expect)}</p>\n"
        if result and result["by"] == "program":
            yield f"<p>Code has noticed: {html.escape(' '.join(result['why']))}</p>\n"
        yield f"<ol>\n{''.join(those)}</ol>\n"


def _told(before: dict[str, Any], answer: Any, ballot: dict[str, int]) -> Iterator[str]:
    """Yield one step of a scenario, as a line of the list."""
    said = ", ".join(f"{votes} for {candidate}" for candidate, votes in ballot.items())
    votes = f' <span class="ballot">{html.escape(said)}</span>' if ballot else ""
    match before["next"]:
        case "look" if answer["session"] is not None:
            shot = html.escape(answer["shot"])
            yield f'<li>The page at <code>{html.escape(answer["url"])}</code><img src="shots/{shot}" alt="{shot}"></li>\n'
        case "choose":
            what = before["page"]["refs"].get(answer.get("ref"), ["", 0, ""])[2]
            action = told([{**answer, "what": what, "error": None}]).removeprefix("- ")
            yield f"<li>Decided: <b>{html.escape(action)}</b>{votes}</li>\n"
        case "act" if answer["session"] is not None and answer["error"]:
            yield f'<li class="fail">{html.escape(answer["error"])}</li>\n'
        case "verdict":
            yield f'<li>Verdict: <b class="{answer}">{answer}</b>{votes}</li>\n'
        case _:
            pass
