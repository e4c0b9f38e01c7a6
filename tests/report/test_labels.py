"""A report says which labels were used for what."""

from pathlib import Path

import pytest

from maker_graph import LimitReached, Run
from maker_graph.report.labels import label_sentences
from maker_graph.run.labelling import Labelling
from tests.run.labelled import Words


def test_each_file_of_labels_is_told_of_and_an_audit_of_before_as_such(tmp_path: Path) -> None:
    with Run.create(tmp_path / "r", Words(9), model="sim:perfect", k=2, max_steps=5) as run:
        with pytest.raises(LimitReached):
            run.solve()
        assert label_sentences(run._opened.journal) == []
        run.label(Labelling(2, tmp_path / "l.jsonl", truth=True), "example")
        run.label(Labelling(3, truth=True))
        found = run.audit(random=3, truth=True)
        example, certify, audit = label_sentences(run._opened.journal)
        assert example.startswith(f"2 steps were labelled as examples, in {tmp_path / 'l.jsonl'} (SHA-256 ")
        assert certify.startswith("3 steps were labelled to certify by, in ")
        assert audit.startswith(f"{found} Its labels are in ")
        run.solve(max_steps=9)
        assert label_sentences(run._opened.journal)[2].startswith(
            "This audit was made before the run went on, when it had 5 steps."
        )
