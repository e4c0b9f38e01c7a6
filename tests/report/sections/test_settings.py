"""What was run is told in full, also what was left out."""

from pathlib import Path

import pytest

from maker_graph import AheadBy, Confirm
from maker_graph.report.collecting import collect
from maker_graph.report.sections.settings import settings_section
from maker_graph.run.votings import LadderSettings
from tests.made import created, new_settings


@pytest.mark.parametrize(
    ("ladder", "voting", "says"),
    [
        (
            LadderSettings(),
            {},
            ["after 20 red flags in a row", "<td>stuck: temperature 1.0, then the prompt in other words", "750 tokens"],
        ),
        (
            LadderSettings(temperature=None, rephrase=False),
            {"stuck_after": 7},
            ["after 7 red flags in a row", "<td>stuck: ask a person"],
        ),
        (None, {"temperature": None}, ["left to the model"]),
        (None, {"temperature": (0.0, 0.5)}, ["0.0 for a step&#x27;s first sample, 0.5 for the others"]),
        (None, {"max_tokens": None, "stop": ["\n"]}, ["Output cap</th><td>left to the model", "&#x27;\\n&#x27;"]),
        (None, {"k": AheadBy(2, within=3)}, ["ahead by 2 within 3 votes", "contested: a person; stuck: temperature 1.0"]),
        (None, {"k": Confirm(2, of=3)}, ["confirmed by 2 of 3", "contested: a person; stuck: temperature 1.0"]),
        (None, {"check": False, "seed": 4}, ["not checked", "<td>4</td>"]),
    ],
)
def test_settings_are_told_in_words(
    tmp_path: Path, ladder: LadderSettings | None, voting: dict[str, object], says: list[str]
) -> None:
    settings = new_settings("hanoi", {"disks": 3}, "openai:gpt-4.1-mini", ladder=ladder, **voting)
    with created(tmp_path / "made", settings) as run:
        text = settings_section(collect(run))
    for told in ["<th scope='row'>Option disks</th><td>3</td>", *says]:
        assert told in text
