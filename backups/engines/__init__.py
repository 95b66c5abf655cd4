"""Engines: consistent blocks out of, and back into, one database."""
