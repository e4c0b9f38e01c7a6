"""An actor of Ray that tells of calls and commits, as the workers of `fleet.py` do."""

import os

from maker_graph.fleet.driving import Driving, Told
from maker_graph.fleet.engines.ray import RayActor
from tests.benchmarks.fleet import telling


class ToldActor(RayActor):
    """Goes on with runs, and tells in the file that TOLD names."""

    def __init__(self, how: Driving) -> None:
        self._decided = telling(os.environ["TOLD"])
        super().__init__(how)

    def told(self) -> Told:
        return super().told()._replace(decided=self._decided)
