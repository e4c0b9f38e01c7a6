"""The drawings of a report and of a plan: matplotlib figures, each one panel of the same size."""
