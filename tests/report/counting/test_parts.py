"""Steps are counted by the part that they are of."""

from maker_graph.journal.entry import skim
from maker_graph.report.counting.parts import PartCounter, PartCounts
from maker_graph.report.counting.steps import counted_step


def counted(*entries: str) -> list[PartCounts]:
    counter = PartCounter()
    for number, entry in enumerate(entries, start=1):
        counter.add(counted_step(number, skim(entry), 2, None))
    return counter.parts()


def test_each_part_has_its_own_samples_votes_flags_and_open_steps() -> None:
    choose, act = counted(
        '["a",[null],[0,0],1,[5,0,9],0,true,"choose"]',
        '[1,"world","act"]',
        '["a",["\\"b\\"",null],[0,1,"empty",1,1],2,[5,0,9],1,false,"choose"]',
        '[2,"world","act"]',
        '[null,["\\"b\\""],[0,"empty"],1,[5,0,9],null,false,"choose"]',
    )
    assert act == PartCounts("act", "world", 2)
    assert (choose.name, choose.by, choose.steps, choose.samples, choose.votes) == ("choose", "votes", 3, 9, 7)
    assert (choose.outvoted, choose.contested, choose.differs, choose.open, choose.flags) == (1, 1, 2, 1, {"empty": 2})


def test_a_task_without_parts_has_none() -> None:
    assert counted('["a",[null],[0,0],1,[5,0,9],0,true]', '["a","program"]') == []
