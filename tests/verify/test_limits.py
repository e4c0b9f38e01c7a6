"""A verification that hangs, grows or dies is unknown, and the next one works; no process is left behind."""

import asyncio
import contextlib
import copy
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from maker_graph import UsageError
from maker_graph.core.verifying import Unknown, Valid
from maker_graph.errors import Invalid
from maker_graph.verify.limits import Limited, Worker, limited
from tests.verify import verifiers

ROOT = Path(__file__).parents[2]


def runs(pid: int) -> bool:
    """Say whether a process runs; one that has ended and waits to be seen does not."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in {"Z", "X"}
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 0)
        return not Path("/proc").exists()
    return False


def wait_until(true: Callable[[], bool], seconds: float = 20) -> None:
    """Return as soon as something is true."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


SCRIPT = """
    import os, sys
    from maker_graph.verify.limits import limited
    from tests.verify import verifiers
    print(limited(verifiers.process)(None, 1).evidence, flush=True)
"""


@pytest.fixture(scope="module")
def even() -> Iterator[Limited]:
    """Return a verifier within limits, which many tests share."""
    made = limited(verifiers.even, seconds=20)
    yield made
    made.close()


def test_all_that_a_verifier_says_comes_through(even: Limited) -> None:
    assert even(None, 2) == Valid("2 is even", conclusive=True)
    assert even({"a": [1]}, 0) == Unknown("0 is not for me")
    with pytest.raises(Invalid, match="3 is odd"):
        even(None, 3)


def test_the_process_is_kept_and_is_not_ours() -> None:
    verify = limited(verifiers.process)
    first, second = verify(None, 1), verify(None, 1)
    assert first == second
    assert first != Valid(str(os.getpid()))
    verify.close()
    wait_until(lambda: not runs(int(getattr(first, "evidence"))))  # noqa: B009  it may be Unknown
    assert verify(None, 1) not in {first, Valid(str(os.getpid()))}
    verify.close()


def test_an_object_and_a_copy_of_it_are_verifiers_too() -> None:
    verify = limited(verifiers.Above(3))
    for each in (verify, copy.deepcopy(verify), pickle.loads(pickle.dumps(verify))):  # noqa: S301  our own
        assert each(None, 4) == Valid("it is")
        assert each(None, 2) == Unknown("it is not")
        each.close()


@pytest.mark.parametrize("verify", [verifiers.sleeps, verifiers.busy], ids=["sleeps", "busy"])
def test_what_hangs_is_cut_off_and_the_next_answer_works(verify: Callable[..., object], tmp_path: Path) -> None:
    worker, told = Worker(), tmp_path / "pid"
    assert worker.ask(verifiers.even, None, 2, seconds=20) == Valid("2 is even", conclusive=True)
    assert worker.ask(verify, str(told), 1, seconds=0.3) == Unknown("the verification was cut off after 0.3 seconds")
    assert not runs(int(told.read_text()))
    assert worker.ask(verifiers.even, None, 4, seconds=20) == Valid("4 is even", conclusive=True)
    worker.close()


@pytest.mark.parametrize(
    ("verify", "answer", "why"),
    [
        (verifiers.hungry, 1, "the verification needed more than 1,000 megabytes and was cut off"),
        (verifiers.deep, 1, "the verification went too deep and was cut off"),
        (verifiers.killed, "SIGKILL", "the process of the verification ended by SIGKILL"),
        (verifiers.killed, "SIGSEGV", "the process of the verification ended by SIGSEGV"),
        (verifiers.killed, "SIGXCPU", "the verification was cut off because it took too much processor time"),
        (verifiers.leaves, 3, "the process of the verification ended with status 3"),
        (verifiers.leaves, 0, "the process of the verification ended with status 0"),
    ],
)
def test_what_dies_or_grows_is_unknown_with_the_reason(verify: Callable[..., object], answer: object, why: str) -> None:
    worker = Worker()
    assert worker.ask(verify, None, answer, seconds=20) == Unknown(why)
    assert worker.ask(verifiers.even, None, 4, seconds=20) == Valid("4 is even", conclusive=True)
    worker.close()


def test_a_process_that_was_killed_between_two_answers_is_replaced(even: Limited) -> None:
    worker = Worker()
    pid = int(getattr(worker.ask(verifiers.process, None, 1, seconds=20), "evidence"))  # noqa: B009
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not runs(pid))
    assert worker.ask(verifiers.even, None, 4, seconds=20) == even(None, 4)
    worker.close()


def test_a_process_that_dies_before_it_takes_a_question_is_replaced(even: Limited) -> None:
    worker = Worker()
    pid = int(getattr(worker.ask(verifiers.process, None, 1, seconds=20), "evidence"))  # noqa: B009
    os.kill(pid, signal.SIGSTOP)  # it lives, so it is asked
    with ThreadPoolExecutor(1) as thread:
        answered = thread.submit(worker.ask, verifiers.even, None, 4, seconds=20)
        wait_until(answered.running)
        time.sleep(0.2)
        os.kill(pid, signal.SIGKILL)
        assert answered.result() == even(None, 4)
    worker.close()


class Mine:
    """An answer that says that it is of the script."""

    __module__ = "__main__"


def test_what_another_process_cannot_have_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["__main__"], "Mine", Mine, raising=False)
    worker = Worker()
    with pytest.raises(UsageError, match=r"something that another process cannot import .AttributeError.* move the classes"):
        worker.ask(verifiers.even, None, Mine(), seconds=20)
    with pytest.raises(UsageError, match=r"something that cannot be sent to another process .* give it plain data"):
        worker.ask(verifiers.even, None, lambda: 2, seconds=20)
    assert worker.ask(verifiers.even, None, 4, seconds=20) == Valid("4 is even", conclusive=True)
    worker.close()


def test_a_module_that_another_process_cannot_load_is_told_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "large_module.py").write_text("data = bytearray(10**13)")
    for name, why in (("no_such_module", "cannot be imported by another process"), ("large_module", "raise its limit")):
        worker = Worker(imports=(name,))
        for _ in range(2):
            with pytest.raises(UsageError, match=f"The module {name} of a verifier .*{why}"):
                worker.ask(verifiers.even, None, 2, seconds=20)
        worker.close()


def test_a_process_that_cannot_be_started_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    found = Worker().ask(verifiers.even, None, 2, seconds=20)
    assert isinstance(found, Unknown)
    assert "could not be started" in found.why


def test_mistakes_of_a_verifier_are_errors(even: Limited) -> None:
    worker = Worker()
    with pytest.raises(UsageError, match="verify failed with KeyError: 'price'"):
        worker.ask(verifiers.broken, None, 1, seconds=20)
    with pytest.raises(UsageError, match=r"verify must return Valid\(...\) or Unknown\(...\), or raise Invalid"):
        worker.ask(verifiers.wrong, None, 1, seconds=20)
    worker.close()
    for verify in (lambda state, answer: Unknown(), verifiers.local(), 3):  # noqa: ARG005
        with pytest.raises(UsageError, match="limited"):
            limited(verify)  # type: ignore[arg-type]
    for seconds in (0, -1, float("inf"), float("nan"), True, "5"):
        with pytest.raises(UsageError, match="seconds, the time that a verification may take, must"):
            limited(verifiers.even, seconds=seconds)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="megabytes must be a whole number of at least 200"):
        limited(verifiers.even, megabytes=10)
    assert even(None, 2) == Valid("2 is even", conclusive=True)


def test_nothing_printed_comes_out_and_nothing_is_read(capfd: pytest.CaptureFixture[str]) -> None:
    verify = limited(verifiers.loud, seconds=20)
    assert verify("state", "answer") == Unknown("read ''")
    verify.close()
    assert capfd.readouterr() == ("", "")


def test_many_threads_and_a_loop_may_ask_at_once(even: Limited) -> None:
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(even, [None] * 64, range(2, 130, 2)))
    assert found == [Valid(f"{number} is even", conclusive=True) for number in range(2, 130, 2)]

    async def both() -> list[object]:
        return [even(None, 2), *await asyncio.gather(*(asyncio.to_thread(even, None, number) for number in (4, 6)))]

    assert asyncio.run(both()) == [Valid(f"{number} is even", conclusive=True) for number in (2, 4, 6)]


def test_the_thread_that_asked_first_may_end() -> None:
    verify, found = limited(verifiers.process), []
    thread = threading.Thread(target=lambda: found.append(verify(None, 1)))
    thread.start()
    thread.join()
    assert verify(None, 1) == found[0]
    verify.close()


def test_what_it_started_ends_with_it(tmp_path: Path) -> None:
    worker, told = Worker(), tmp_path / "pids"
    worker.ask(verifiers.even, None, 2, seconds=20)
    assert isinstance(worker.ask(verifiers.spawns, str(told), 1, seconds=1), Unknown)
    wait_until(lambda: not any(runs(int(pid)) for pid in told.read_text().split()))


FORKS = """
    import signal, threading
    from maker_graph.verify.limits import Worker
    worker = Worker()
    ask = lambda verify, *given: worker.ask(verify, *given, seconds=20)
    ours = ask(verifiers.process, None, 1)
    if sys.argv[1] == "held":  # a question is under way, and its lock is held, when the process forks
        threading.Thread(target=ask, args=(verifiers.sleeps, sys.argv[2], 1), daemon=True).start()
        while not os.path.exists(sys.argv[2]) or not open(sys.argv[2]).read(): pass
    if (pid := os.fork()) == 0:
        signal.alarm(30)
        theirs = ask(verifiers.process, None, 1)
        print("another" if theirs.evidence != ours.evidence else "the same", flush=True)
        worker.close()
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
    if sys.argv[1] == "free":
        print("kept" if ask(verifiers.process, None, 1) == ours else "lost", flush=True)
    os._exit(0)
"""


@pytest.mark.parametrize(("lock", "says"), [("free", ["another", "0", "kept"]), ("held", ["another", "0"])])
def test_a_fork_asks_a_process_of_its_own(lock: str, says: list[str], tmp_path: Path) -> None:
    source = textwrap.dedent(SCRIPT) + textwrap.dedent(FORKS)
    command = [sys.executable, "-W", "ignore", "-c", source, lock, str(tmp_path / "told")]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.split()[1:] == says, done.stderr


def test_an_interrupted_question_leaves_no_answer_to_the_next(tmp_path: Path) -> None:
    worker = Worker()
    worker.ask(verifiers.even, None, 2, seconds=20)
    told = tmp_path / "pid"

    def interrupt() -> None:
        wait_until(lambda: told.exists() and told.read_text() != "")
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    def raise_(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, raise_)
    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            worker.ask(verifiers.sleeps, str(told), 1, seconds=30)
    finally:
        thread.join()
        signal.signal(signal.SIGINT, before)
    assert not runs(int(told.read_text()))
    assert worker.ask(verifiers.even, None, 4, seconds=20) == Valid("4 is even", conclusive=True)
    worker.close()


def script(more: str, folder: Path, *, stdin: bool = False) -> subprocess.Popen[str]:
    """Start a script that asks who verifies, and says it."""
    source = textwrap.dedent(SCRIPT) + textwrap.dedent(more)
    command = [sys.executable, "-"] if stdin else [sys.executable, "-c", source]
    started = subprocess.Popen(
        command, cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    if stdin:
        assert started.stdin is not None
        started.stdin.write(source)
        started.stdin.close()
        started.stdin = None
    return started


@pytest.mark.parametrize(
    "more", ["", "sys.exit(3)", "os._exit(0)", "raise ValueError", "import threading; threading.Thread(target=int).start()"]
)
@pytest.mark.parametrize("stdin", [True, False])
def test_none_is_left_at_any_exit(more: str, tmp_path: Path, *, stdin: bool) -> None:
    said, _ = (started := script(more, tmp_path, stdin=stdin)).communicate(timeout=60)
    assert started.returncode in {0, 1, 3}
    wait_until(lambda: not runs(int(said)))


@pytest.mark.parametrize("verify", ["sleeps", "busy"])
def test_none_is_left_when_the_parent_is_killed(verify: str, tmp_path: Path) -> None:
    told = tmp_path / "pid"
    parent = script(f"limited(verifiers.{verify}, seconds=1)({str(told)!r}, 1)", tmp_path)
    wait_until(lambda: told.exists() and told.read_text() != "")
    child = int(told.read_text())
    assert runs(child)
    parent.kill()
    parent.communicate()
    wait_until(lambda: not runs(child))


def test_a_file_of_the_folder_takes_no_place_of_a_library(tmp_path: Path) -> None:
    for name in ("json", "threading", "resource"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('not me')")
    command = [sys.executable, "-P", "-c", textwrap.dedent(SCRIPT)]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.stdout.strip().isdigit(), done.stderr


@pytest.mark.parametrize("closed", ["<&-", ">&-", "<&- >&- 2>&-"])
def test_a_program_without_standard_streams_verifies_too(closed: str, tmp_path: Path) -> None:
    source = textwrap.dedent(SCRIPT).replace("print(", "open(sys.argv[1], 'w').write(").replace(", flush=True", "")
    (tmp_path / "script.py").write_text(source)
    command = ["sh", "-c", f'exec "$@" {closed}', "sh", sys.executable, "script.py", "said"]
    subprocess.run(command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, timeout=60, check=False)
    assert (tmp_path / "said").read_text().isdigit()
