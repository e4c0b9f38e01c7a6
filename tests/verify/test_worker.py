"""The child's side: what it answers, and when it ends."""

import json
import os
import subprocess
import sys
from multiprocessing.connection import Pipe
from pathlib import Path

from tests.verify import verifiers

ROOT = Path(__file__).parents[2]


def test_it_answers_in_json_and_ends_when_the_pipe_closes() -> None:
    reads, asks = Pipe(duplex=False)
    answers, writes = Pipe(duplex=False)
    code = f"from maker_graph.verify.worker import serve; serve({reads.fileno()}, {writes.fileno()}, {os.getpid()}, 500)"
    child = subprocess.Popen(
        [sys.executable, "-c", code], pass_fds=[reads.fileno(), writes.fileno()], env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    reads.close()
    writes.close()
    assert json.loads(answers.recv_bytes()) == ["ready", ""]
    for given, said in ((2, ["valid", ["2 is even", True]]), (0, ["unknown", "0 is not for me"]), (1, ["invalid", "1 is odd"])):
        asks.send((verifiers.even, (None, given), 5.0))
        assert json.loads(answers.recv_bytes()) == ["taken", ""]
        assert json.loads(answers.recv_bytes()) == said
    asks.send((verifiers.hungry, (None, 1), 5.0))
    assert json.loads(answers.recv_bytes()) == ["taken", ""]
    assert json.loads(answers.recv_bytes())[0] == "gave up"
    asks.close()
    assert child.wait(20) == 0
    answers.close()


def test_it_ends_by_itself_when_its_parent_is_another() -> None:
    reads, asks = Pipe(duplex=False)
    answers, writes = Pipe(duplex=False)
    code = f"from maker_graph.verify.worker import serve; serve({reads.fileno()}, {writes.fileno()}, 1, 500)"
    child = subprocess.Popen(
        [sys.executable, "-c", code], pass_fds=[reads.fileno(), writes.fileno()], env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert child.wait(20) == 1
    for each in (reads, asks, answers, writes):
        each.close()
