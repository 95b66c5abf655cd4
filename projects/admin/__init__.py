"""People, projects, memberships and API keys in the admin. Each module registers its own pages."""

from projects.admin import api_keys, people, projects

__all__ = ["api_keys", "people", "projects"]
