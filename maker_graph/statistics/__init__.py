"""What votes come to, pure: races, plans for independent and for correlated errors, and what calibrations and ballots say."""
