"""How many replies a second does the tiny model write, 16 requests at a time, at 10 disks?

    python tests/benchmarks/tiny_lm.py

Through LangChain's `ainvoke`, on one event loop. *Other steps*: each request has a prompt of its own. *Same step*: four
samples of each prompt, as a vote draws them, so that three of four prompts were read before. The best of several times counts.
"""

import argparse
import asyncio
import json
import time
from typing import Any

from maker_graph.models.tiny_lm import TinyChatModel
from maker_graph.tasks import Hanoi


async def replies(prompts: list[Any], at_once: int, first_seed: int) -> int:
    """Ask all, so many at once; return how many tokens were written."""
    model, places = TinyChatModel(temperature=1.0), asyncio.Semaphore(at_once)

    async def one(prompt: Any, seed: int) -> int:
        async with places:
            message = await model.ainvoke(prompt, seed=seed)
        return message.usage_metadata["output_tokens"] if message.usage_metadata else 0

    return sum(await asyncio.gather(*(one(prompt, seed) for seed, prompt in enumerate(prompts, first_seed))))


def rate(prompts: list[Any], at_once: int, times: int) -> dict[str, float]:
    """Return replies and tokens a second, and replies for each second of processor time."""
    best = {"replies_per_s": 0.0, "tokens_per_s": 0.0, "replies_per_cpu_s": 0.0}
    for number in range(times):
        began, cpu = time.perf_counter(), time.process_time()
        tokens = asyncio.run(replies(prompts, at_once, 1000 * number))
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
        now = {
            "replies_per_s": len(prompts) / seconds,
            "tokens_per_s": tokens / seconds,
            "replies_per_cpu_s": len(prompts) / cpu,
        }
        best = {name: max(value, now[name]) for name, value in best.items()}
    return {name: round(value, 1) for name, value in best.items()}


def main() -> None:
    """Run and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--at-once", type=int, default=16)
    parser.add_argument("--replies", type=int, default=320)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="print one JSON object (always)")
    options = parser.parse_args()
    task = Hanoi(10)
    prompts = [task.prompt(task.state_at(3 * step)) for step in range(options.replies)]
    rate(prompts[:16], 16, 1)  # imports and caches
    print(
        json.dumps(
            {
                "at_once": options.at_once,
                "other_steps": rate(prompts, options.at_once, options.times),
                "same_step": rate([prompts[step // 4] for step in range(options.replies)], options.at_once, options.times),
                "one_at_a_time": rate(prompts[:32], 1, options.times),
            }
        )
    )


if __name__ == "__main__":
    main()
