"""Runs watched in a browser, and their stuck steps answered there: `maker-graph watch`.

A run is read in another process than the one that works on it, from its journal (`following.py`). One reader (`hub.py`) serves
all browsers. Answers are read and checked (`desk.py`), and left for the owner of the run. `server.py` is the page behind HTTP,
and `guard.py` says whom it answers.
"""
