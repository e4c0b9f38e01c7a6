"""The journal in a Postgres database, for runs on many machines. It needs the extra `fleet`."""
