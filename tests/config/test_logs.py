"""What others wrote forges no log line."""

import io
import logging

import pytest
from django.conf import settings
from django.utils.module_loading import import_string

FORGED = "2026-01-01 00:00:00,000 INFO jobs: all is well"


@pytest.fixture
def written() -> tuple[logging.Logger, io.StringIO]:
    given = dict(settings.LOGGING["formatters"]["line"])
    formatter = import_string(given.pop("()"))(given["format"])
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(formatter)
    logger = logging.Logger("foreign")
    logger.addHandler(handler)
    return logger, out


@pytest.mark.parametrize(
    "break_", ["\n", "\r", "\r\n", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029"]
)
def test_a_foreign_text_with_line_breaks_is_on_one_line(
    written: tuple[logging.Logger, io.StringIO], break_: str
) -> None:
    logger, out = written
    logger.warning("no such collation: %s", f"x{break_}{FORGED}")
    (line,) = out.getvalue().splitlines()
    assert "no such collation: x\\" in line
    assert line.endswith(FORGED)


@pytest.mark.parametrize("sign", ["\x1b[2J", "\x00", "\u202e", "\u2066", "\x7f", "\x9b", "\ud800"])
def test_what_steers_a_terminal_or_an_eye_is_shown_as_its_code(
    written: tuple[logging.Logger, io.StringIO], sign: str
) -> None:
    logger, out = written
    logger.warning("named %s", sign)
    assert sign[0] not in out.getvalue().rstrip("\n")
    assert "named \\" in out.getvalue()


def test_a_traceback_with_a_foreign_text_has_no_line_like_a_record(
    written: tuple[logging.Logger, io.StringIO],
) -> None:
    logger, out = written
    try:
        raise ValueError(f"bad\n{FORGED}\r{FORGED}")
    except ValueError:
        logger.exception("failed")
    first, *rest = out.getvalue().splitlines()
    assert first.endswith("failed")
    assert rest
    assert all(line.startswith("    ") for line in rest)


def test_other_texts_are_left_as_they_are(
    written: tuple[logging.Logger, io.StringIO],
) -> None:
    logger, out = written
    logger.warning("José's %s", "数据库")
    assert out.getvalue().endswith("José's 数据库\n")
