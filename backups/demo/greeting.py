"""What `make run` prints when all is up."""

from pathlib import Path

from backups.demo.setup import Demo, demo_file


def greeting(demo: Demo) -> str:
    """Where things are, and lines that work when pasted."""
    project = f"{demo.url}/api/p/{demo.project}"
    return f"""
Savepoint is running at {demo.url}

  sign in at   {demo.url}/admin/
  username     {demo.username}
  password     {demo.password}
  project      {demo.project}
  API key      {demo.api_key}
  database     {demo.database}
  all of this  {_short(demo_file())}

Paste into another terminal: sign in, take a version, look how it goes.

{sign_in_line(project, demo.api_key)}
{call_line(f"{project}/backups/create", '{"created_by": "me"}')}
{call_line(f"{demo.url}/sync/get", '{"cc_cursor": 0}')}

Ctrl-C ends it; the next start goes on from what is there.
"""


def sign_in_line(project_url: str, api_key: str) -> str:
    """A shell line that puts the token of a new session into TOKEN."""
    return (
        "TOKEN=$(curl -sS -o /dev/null -D - -H 'Content-Type: application/json'"
        f' -d \'{{"api_key": "{api_key}"}}\' {project_url}/auth'
        " | tr -d '\\r' | sed -n 's/^[Aa]uthorization: //p')"
    )


def call_line(url: str, body: str) -> str:
    """A shell line that calls with TOKEN."""
    return (
        "curl -sS -H \"Authorization: Bearer $TOKEN\" -H 'Content-Type: application/json'"
        f" -d '{body}' {url}; echo"
    )


def _short(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
