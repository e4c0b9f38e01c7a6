"""A tiny code base to be migrated."""
