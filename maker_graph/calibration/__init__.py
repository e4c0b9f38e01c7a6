"""Calibration and planning: how often a model errs on a task, and what a target takes.

Users calibrate and plan by the command line, and a run takes the file. Plans from labels are in Python too.
"""
