"""Asks a Savepoint elsewhere for a backup, over HTTP: what a pipeline runs.

`python -m backups.remote` needs httpx and rich, but no Django, no settings and no keys;
`manage.py backup --url` is the same.
"""
