"""Calibration and planning: how often a model errs on a task, and what a target takes.

Not for users: they calibrate and plan by the command line, and a run takes the file.
"""
