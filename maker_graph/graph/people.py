"""A vote that ended undecided: the error that says so, and the person who is asked in its place."""

import json
from dataclasses import replace

from langgraph.types import interrupt

from maker_graph.core.decision import Decision, Reader, Vote, answered, judge
from maker_graph.core.red_flags import Sample, empty
from maker_graph.core.task import Prompt
from maker_graph.errors import Undecided
from maker_graph.models.prompts import as_pairs


def ask_person(undecided: Decision, prompt: Prompt, reading: Reader) -> Decision:
    """Return the decision of a person, who is asked through `interrupt` until the reply keeps all rules of a sample's."""
    error = stuck(undecided)
    shown = [{"role": role, "content": content} for role, content in as_pairs(prompt)]
    problem = ""
    while True:
        given = interrupt(
            {
                "question": "No candidate won. What is the right reply?",
                "problem": problem,
                "reason": error.reason,
                "prompt": shown,
                "ballot": error.ballot,
                "flags": error.flags,
                "samples": error.samples,
                "replies": error.replies,
            }
        )
        text = given if isinstance(given, str) else json.dumps(given)
        reply = judge(Sample(0, text), replace(reading, red_flags={"empty": empty}))
        if reply["flag"] is None:
            return answered(undecided, reply)
        problem = f"This reply is {reply['flag']}{': ' + reply['why'].rstrip('.') if reply['why'] else ''}."


def stuck(decision: Decision) -> Undecided:
    """Return the error for a step on which no rung could decide: the last one's ballot, the samples and red flags of all."""
    votes: list[Vote] = [*decision["tried"], decision]
    flags: dict[str, int] = {}
    for each in votes:
        for name, number in each["flags"].items():
            flags[name] = flags.get(name, 0) + number
    reason = decision["reason"]
    if decision["tried"]:
        reason = f"{reason} Tried: {', '.join(each['by'] for each in votes)}."
    return Undecided(reason, decision["ballot"], flags, sum(each["samples"] for each in votes), decision["replies"])
