"""Versions out of the storage folder and the key alone: no settings, no database of ours."""
