"""What a report counts in a journal: a module for each kind of count, all fed by one pass."""
