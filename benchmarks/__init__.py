"""Savepoint against its peers: the same files, the same machine, one run; goals as ratios."""
