"""Runs watched in a browser, and their stuck steps answered there: `maker-graph watch`.

The page runs in a process of its own, and reads the journals of the runs (`following.py`). One reader (`hub.py`) serves
all browsers. Answers are read and checked (`desk.py`), and left for the owner of the run. `server.py` serves the page
over HTTP, and `guard.py` decides which requests are answered.
"""
