"""Calibration and planning: how often a model errs on a task, and what a target takes.

Users calibrate and plan on the command line, and give the file to a run. Plans from labels can also be made in Python.
"""
