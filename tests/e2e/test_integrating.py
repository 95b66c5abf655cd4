"""What docs/integrating.md shows, run as it stands."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.content import content_of, execute
from tests.service import ROOT, Service

PAGE = (ROOT / "docs" / "integrating.md").read_text()


def example(language: str) -> str:
    (found,) = re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.M | re.S)
    return str(found)


def test_the_step_of_a_pipeline_prints_a_version_that_is_there(
    service: Service, tmp_path: Path
) -> None:
    (tmp_path / "api-key.txt").write_text(service.api_key)
    # The interpreter of the tests by the name that the page uses; no settings, no keys.
    python = tmp_path / "python3"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o700)
    done = subprocess.run(
        ["sh", "-ec", example("sh")],
        cwd=tmp_path,
        env={
            "PATH": f"{tmp_path}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "PROJECT": service.project,
            "URL": service.url,
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    version = re.fullmatch(r"version (\d+) is safe: the import may begin\n", done.stdout)
    assert version
    assert int(version[1]) in [item["version"] for item in service.client().versions()]


def test_the_python_example_goes_back_when_the_risky_work_fails(service: Service) -> None:
    gid, database = service.add_project(name="Risky")
    key = service.shell(
        "from projects.models import Project\nfrom projects.services import create_api_key\n"
        f"print(create_api_key(project=Project.objects.get(gid='{gid}'), name='risky').text)"
    )
    before = content_of(database)

    def risky_work() -> None:
        execute(database, "DELETE FROM products")
        raise ZeroDivisionError

    names: dict[str, Any] = {
        "URL": service.url,
        "PROJECT": gid,
        "API_KEY": key,
        "risky_work": risky_work,
    }
    with pytest.raises(ZeroDivisionError):
        exec(compile(example("python"), "integrating.md", "exec"), names)
    names["savepoint"].http.close()
    assert content_of(database) == before
