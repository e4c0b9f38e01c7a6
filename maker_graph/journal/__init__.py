"""The journal of a run: its rules, and the places in which it is kept."""
