"""What pytest does not collect here: modules that need a package which the extra `dev` leaves out, because it is large."""

from importlib.util import find_spec

collect_ignore = [] if find_spec("ray") else ["maker_graph/fleet/engines/ray.py", "tests/benchmarks/fleet_actor.py"]
