"""What can be said of a run afterwards: the certificate and the report."""
