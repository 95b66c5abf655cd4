"""Versions in the admin, and what a project's page gains by them. Modules register their pages."""

from backups.admin import projects, versions

__all__ = ["projects", "versions"]
