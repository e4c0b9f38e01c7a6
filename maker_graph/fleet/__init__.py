"""Fleets: many runs in one journal that several machines share. They are submitted, worked on and sealed here.

This room needs the extra `fleet`.

The journal of each run decides what is committed. An engine (`engines/`) only hands each open run to a living worker.
It may hand the same run to two workers: then the journal refuses one of them.
"""
