"""Sealed immutable objects: where versions are kept."""
