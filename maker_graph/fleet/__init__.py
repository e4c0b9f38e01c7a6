"""Many runs in one journal, on many machines: a fleet. A shard of it is a run."""
