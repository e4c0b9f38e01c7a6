"""What was run is told in full, also what was left out."""

from pathlib import Path

import pytest

from maker_graph import AheadBy, Confirm, Voting
from maker_graph.report.collecting import collect
from maker_graph.report.sections.settings import settings_section
from maker_graph.run.settings import new_settings as settings_of
from maker_graph.run.votings import LadderSettings
from maker_graph.tasks import WordProblems
from maker_graph.tasks.loading import cut_task, described
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


def test_a_slice_is_told_by_its_items(tmp_path: Path) -> None:
    (_, second) = cut_task(described(WordProblems(problems=2_500)), 2)
    for settings, told in (
        (settings_of(second, "sim:perfect", Voting()), True),
        (new_settings("hanoi", {}, "sim:perfect"), False),
    ):
        with created(tmp_path / str(told), settings) as run:
            assert (">Slice</th><td>1,251 to 2,500" in settings_section(collect(run))) is told
