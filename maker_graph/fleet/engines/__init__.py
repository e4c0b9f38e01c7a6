"""What keeps a living worker on each open run of a fleet: engines that exist, each behind the same small protocol."""
