"""How long the report of a run takes, and how large its page is: `python tests/benchmarks/report.py RUN [--json]`.

The run is copied first, so that the original is only read. Promised: a million steps in at most 60 s, a page of at most 5 MB.
"""

import argparse
import json
import shutil
import tempfile
import time
from pathlib import Path

from maker_graph.report.collecting import collect
from maker_graph.report.page import write
from maker_graph.run import directory as runs


def measure(original: Path) -> dict[str, float]:
    """Return seconds, for the pass alone and for all, on the clock and of the processor, and sizes in bytes."""
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(shutil.copytree(original, Path(folder) / original.name))
        with runs.opened(directory) as run:
            start = time.perf_counter()
            steps = collect(run).steps
            collected, worked = time.perf_counter(), time.process_time()
            page, *pictures = write(run)
            written, used = time.perf_counter(), time.process_time() - worked
        return {
            "steps": steps,
            "pass_seconds": round(collected - start, 1),
            "report_seconds": round(written - collected, 1),
            "report_cpu_seconds": round(used, 1),
            "page_bytes": page.stat().st_size,
            "pictures": len(pictures),
            "pictures_bytes": sum(picture.stat().st_size for picture in pictures),
        }


def main() -> None:
    """Measure one run, and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    args = parser.parse_args()
    result = measure(args.run)
    if args.json:
        print(json.dumps(result))
    else:
        for name, value in result.items():
            print(f"{name:16} {value:,}")


if __name__ == "__main__":
    main()
