"""/api/projects, /api/users, /api/members and a project's members and keys."""
