"""The paper's figures from the formulas: its table of models row by row, and what its k = 3 is worth if errors are correlated.

    python tests/benchmarks/paper.py --out tests/benchmarks/results/paper.json

The table is that of arXiv 2511.09030, Fig. 6b: for each model the error, k_min and the cost of 20 disks at t = .95. Input is
590 tokens a sample, as the published costs imply; prices are the list prices of October 2025.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from maker_graph.statistics import correlated
from maker_graph.statistics.independent import expected_cost, k_min, sample_cost

STEPS, TARGET, INPUT = 2**20 - 1, 0.95, 590
ROWS = [  # model, input and output price in USD per million tokens, output tokens, error, k_min, cost in thousand USD
    ("gpt-4.1-nano", 0.1, 0.4, 842, 0.3571, 29, 41.9),
    ("gpt-4.1-mini, tau 1.0", 0.4, 1.6, 580, 0.0040, 4, 4.9),
    ("gpt-4.1-mini, tau 0.1", 0.4, 1.6, 538, 0.0022, 3, 3.5),
    ("o3-mini low", 1.1, 4.4, 535, 0.0018, 3, 9.4),
    ("haiku-4.5", 1.0, 5.0, 588, 0.1839, 12, 71.2),
    ("llama-3.2-3B", 0.06, 0.06, 434, 1.0, None, None),
    ("gpt-oss-20B", 0.05, 0.2, 1104, 0.0358, 6, 1.7),
    ("qwen-3", 0.2, 0.6, 449, 0.2342, 15, 11.5),
    ("deepseek-v3.1", 0.6, 1.7, 1004, 0.0569, 6, 14.6),
    ("kimi-k2", 1.0, 3.0, 925, 0.0393, 6, 22.9),
]


def row_of(row: tuple[Any, ...]) -> dict[str, Any]:
    """Return a row of the table, computed, beside what was published."""
    model, given, made, tokens, error, k_published, cost_published = row
    if error == 1:
        return {"model": model, "k_min": None, "published": None}
    k = k_min(1 - error, STEPS, TARGET)
    cost = expected_cost(1 - error, k, STEPS, sample_cost(INPUT, tokens, given, made)) / 1000
    return {
        "model": model,
        "error": error,
        "k_min": k,
        "k_min_published": k_published,
        "cost_thousand_usd": round(cost, 2),
        "cost_published": cost_published,
        "off": round(cost / cost_published - 1, 4),
        "k_min_if_correlated_at_.005": correlated.k_min(1 - error, STEPS, TARGET, rho=0.005),
    }


def main() -> None:
    """Compute and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object (always)")
    parser.add_argument("--out", type=Path, help="write it there, too")
    given = parser.parse_args()
    run = {"k": 3, "p": 1 - 2.26e-4, "independent": correlated.p_full(1 - 2.26e-4, 3, STEPS, rho=0.0)}
    run |= {f"rho {rho}": correlated.p_full(1 - 2.26e-4, 3, STEPS, rho=rho) for rho in (0.0045, 0.008, 0.013)}
    found = json.dumps({"table": [row_of(row) for row in ROWS], "chance_of_the_million_step_run": run})
    print(found)
    if given.out:
        given.out.write_text(found + "\n")


if __name__ == "__main__":
    main()
