"""The demo that `make run` starts with: an administrator, a project and its catalogue."""
