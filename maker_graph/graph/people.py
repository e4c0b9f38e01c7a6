"""The person who is asked where a vote ended undecided."""

import json
from collections.abc import Sequence
from dataclasses import replace

from langgraph.types import interrupt

from maker_graph.core.decision import Decision, answered
from maker_graph.core.decision import undecided as error_of
from maker_graph.core.judging import Judged, Reader, judge
from maker_graph.core.red_flags import Sample, empty
from maker_graph.core.task import Prompt
from maker_graph.models.prompts import as_pairs


def ask_person(undecided: Decision, prompt: Prompt, reading: Reader, judged: Sequence[Judged] = ()) -> Decision:
    """Return the decision of a person, who is asked through `interrupt` until the reply keeps all rules for a sample's reply.

    The reply may also be a candidate of the ballot, if the samples are given as `judged`. The first sample that voted for it
    then gives the answer.
    """
    voted = {each["candidate"]: each for each in reversed(judged) if each["flag"] is None}
    error = error_of(undecided)
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
                "passed": error.passed,
            }
        )
        text = given if isinstance(given, str) else json.dumps(given)
        if text in voted:
            return answered(undecided, voted[text])
        reply = judge(Sample(0, text), replace(reading, red_flags={"empty": empty}))
        if reply["flag"] is None:
            return answered(undecided, reply)
        problem = f"The answer was not taken: it is {reply['flag']}{': ' + reply['why'].rstrip('.') if reply['why'] else ''}."
