"""Calibration and planning: how often a model errs on a task, and what a target takes."""
