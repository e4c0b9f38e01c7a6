"""The counts of a report: a module for each kind of count; one pass over the journal feeds them all."""
