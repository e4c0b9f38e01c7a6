"""What does a sample cost through ChatOpenAI, beside the bare `openai` client with the same transport?

    python tests/benchmarks/client.py --calls 1000

Against a simulated model served on this machine, in a process of its own. Each variant makes the same number of calls, 16 at a
time, several times in turn; the least processor time of this process for one call counts, and the rate beside it. With
`pip install 'openai[aiohttp]'` the aiohttp transport is measured too.
"""

import argparse
import asyncio
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from importlib.util import find_spec
from typing import Any

from langchain_openai import ChatOpenAI
from openai import AsyncOpenAI, DefaultAioHttpClient, DefaultAsyncHttpxClient

from maker_graph.models.sampler import Sampler
from maker_graph.tasks import Hanoi

Call = Callable[[int], Awaitable[Any]]
PROMPT: Any = Hanoi(10).prompt(Hanoi(10).start())
MESSAGES: Any = [{"role": role, "content": text} for role, text in PROMPT]


def bare(http: Any) -> Call:
    """Return a call of the `openai` client alone."""
    client = AsyncOpenAI(http_client=http, max_retries=0)

    async def call(index: int) -> Any:
        return await client.chat.completions.create(
            model="gpt-4.1-mini", messages=MESSAGES, temperature=0.1, max_tokens=750, seed=index
        )

    return call


def langchain(http: Any) -> Call:
    """Return a call of ChatOpenAI alone."""
    cap: Any = {"max_tokens": 750}
    model = ChatOpenAI(model="gpt-4.1-mini", temperature=0.1, max_retries=0, http_async_client=http, **cap)

    async def call(index: int) -> Any:
        return await model.ainvoke(PROMPT, seed=index)

    return call


def ours(http: Any) -> Call:
    """Return a sample of maker_graph: ChatOpenAI, gate, faults, usage."""
    model = ChatOpenAI(model="gpt-4.1-mini", http_async_client=http)
    sampler = Sampler([model], temperature=(0.0, 0.1), max_tokens=750, seed=1)

    async def call(index: int) -> Any:
        return await sampler.adraw(PROMPT, index)

    return call


async def timed(make: Callable[[Any], Call], http: Any, calls: int, at_once: int) -> tuple[float, float]:
    """Return the processor time of a call and the calls per second, after a warm-up."""
    transport = http()
    call = make(transport)
    numbers = iter(range(calls + at_once))

    async def work(until: int) -> None:
        for number in numbers:
            await call(number)
            if number >= until:
                return

    await asyncio.gather(*(call(number) for number in range(at_once)))
    cpu, clock = time.process_time(), time.perf_counter()
    await asyncio.gather(*(work(calls) for _ in range(at_once)))
    cpu, clock = time.process_time() - cpu, time.perf_counter() - clock
    await transport.aclose()
    return 1000 * cpu / calls, calls / clock


def main() -> None:
    """Run and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--at-once", type=int, default=16)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="print one JSON object (always)")
    options = parser.parse_args()
    command = [sys.executable, "-m", "maker_graph.cli", "simulate", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        address = re.search(r"http://\S+", server.stdout.readline())
        assert address is not None
        os.environ.update(OPENAI_BASE_URL=address[0], OPENAI_API_KEY="any")
        kinds: dict[str, Callable[[Any], Call]] = {"bare_openai": bare, "chat_openai": langchain, "sample": ours}
        transports: dict[str, Any] = {"httpx": DefaultAsyncHttpxClient}
        if find_spec("aiohttp") is not None:
            transports["aiohttp"] = DefaultAioHttpClient
        found: dict[str, Any] = {}
        for _ in range(options.times):
            for transport, http in transports.items():
                for kind, make in kinds.items():
                    cpu, rate = asyncio.run(timed(make, http, options.calls, options.at_once))
                    best = found.setdefault(f"{kind}_{transport}", {"cpu_ms": cpu, "calls_per_second": rate})
                    best["cpu_ms"] = min(best["cpu_ms"], cpu)
                    best["calls_per_second"] = max(best["calls_per_second"], rate)
        server.terminate()
    for figures in found.values():
        figures.update({name: round(value, 3) for name, value in figures.items()})
    ratios = {
        f"sample_to_bare_{transport}": round(
            found[f"sample_{transport}"]["cpu_ms"] / found[f"bare_openai_{transport}"]["cpu_ms"], 3
        )
        for transport in transports
    }
    print(json.dumps({"calls": options.calls, "at_once": options.at_once, **found, **ratios}))


if __name__ == "__main__":
    main()
