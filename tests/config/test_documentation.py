"""What the documents say is true."""

import re
from pathlib import Path

from tests.environment import settings_variables

ROOT = Path(__file__).parent.parent.parent


def test_every_setting_is_in_the_example_and_in_the_docs_and_no_other_is() -> None:
    example = set(re.findall(r"^#?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.M))
    table = (ROOT / "docs" / "configuration.md").read_text()
    documented = set(re.findall(r"^\| `([A-Z_]+)` \|", table, re.M))
    assert example == settings_variables()
    assert documented == settings_variables()


def test_the_defaults_in_the_example_are_those_of_the_settings() -> None:
    settings = (ROOT / "config" / "settings.py").read_text()
    for name, value in re.findall(r"^#([A-Z_]+)=(\d+)$", (ROOT / ".env.example").read_text(), re.M):
        written = re.search(rf'"{name}", default=([\d.* ]+)\)', settings)
        assert written, name
        product = 1.0
        for factor in written[1].split("*"):
            product *= float(factor)
        assert product == float(value), name


def test_every_link_in_the_documents_leads_somewhere() -> None:
    for document in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]:
        for target in re.findall(r"\]\(([^)#]+)\)", document.read_text()):
            if "://" not in target:
                assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_every_path_that_the_documents_name_exists() -> None:
    folders = ("config/", "projects/", "jobs/", "backups/", "tests/", "docs/", ".ci/")
    for document in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]:
        for target in re.findall(r"`([\w./-]+)`", document.read_text()):
            if target.startswith(folders):
                assert (ROOT / target).exists(), f"{document.name}: {target}"
