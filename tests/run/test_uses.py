"""The journal keeps which labels were used for what."""

from pathlib import Path

import pytest

from maker_graph import DamagedRun, Run
from maker_graph.run.label_lines import Label, LabelHeader
from maker_graph.run.labels import opened_labels
from maker_graph.run.uses import keep_use, labels_used
from tests.disks import everybodys_folder, read_only
from tests.run.labelled import Words, words_run

HEADER = LabelHeader(task="words", options={}, population=3, seed=1, use="choose")


def test_the_newest_use_of_a_file_for_a_purpose_is_kept(tmp_path: Path) -> None:
    with words_run(tmp_path, Words(3)) as run, opened_labels(tmp_path / "l.jsonl", HEADER) as file:
        journal = run._opened.journal
        assert labels_used(journal) == []
        keep_use(journal, file, "labelled")
        file.add(Label(1, "anna", "now"))
        keep_use(journal, file, "labelled")
        keep_use(journal, file, "audit", "All is well.")
        first, second = labels_used(journal)
        assert (first.purpose, first.use, first.labels, first.steps, first.said) == ("labelled", "choose", 1, 3, "")
        assert (second.purpose, second.said, second.digest) == ("audit", "All is well.", file.digest())
        assert Path(first.file) == tmp_path / "l.jsonl"
        serial = journal.account().serial
        keep_use(journal, file, "audit", "All is well.")
        assert journal.account().serial == serial, "what is known already is not written again"


def test_a_note_that_is_none_is_damage(tmp_path: Path) -> None:
    with words_run(tmp_path, Words(3)) as run:
        run._opened.journal.set_note("labels", '[{"file": 1}]')
        with pytest.raises(DamagedRun, match="its note of labels"):
            labels_used(run._opened.journal)


def test_a_run_that_can_only_be_read_keeps_nothing() -> None:
    with everybodys_folder() as folder:
        words_run(folder, Words(3)).close()
        with opened_labels(folder / "l.jsonl", HEADER) as file, read_only(folder / "r"), Run.open(folder / "r") as run:
            keep_use(run._opened.journal, file, "labelled")
            assert labels_used(run._opened.journal) == []
