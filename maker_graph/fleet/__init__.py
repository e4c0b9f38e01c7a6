"""Many runs on many machines, in one journal: submitted, worked on, looked at, and sealed into one. Extra `fleet`.

The journal of each run decides what is committed. An engine (`engines/`) only sees to it that a living worker is on each run
that is open, so it may hand the same run to two workers: the journal refuses one of them.
"""
