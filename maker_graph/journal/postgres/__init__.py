"""The journal in a Postgres database, which many machines reach: extra `fleet`."""
