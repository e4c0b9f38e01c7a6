"""The parts of a report's page, from top to bottom."""
