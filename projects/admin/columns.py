"""How values look in the admin's lists and pages."""

from datetime import datetime

from django.contrib.admin.utils import quote
from django.db.models import Model
from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timezone import localtime

NOTHING = "-"


def badge(state: str, label: str = "", title: str = "") -> SafeString:
    """A state as a coloured word; `state` is also its CSS class."""
    return format_html(
        '<span class="state state-{}" title="{}">{}</span>', state, title, label or state
    )


def byte_count(number: int | None) -> SafeString | str:
    """A size for people, with the exact number of bytes as its title."""
    if number is None:
        return NOTHING
    return format_html('<span title="{} bytes">{}</span>', f"{number:,}", filesizeformat(number))


def duration(start: datetime | None, end: datetime | None) -> str:
    """The time between the two, as precise as a person would say it."""
    if start is None or end is None:
        return NOTHING
    seconds = max((end - start).total_seconds(), 0)
    if seconds < 60:
        return f"{seconds:.1f}\N{NO-BREAK SPACE}s"
    minutes, seconds = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {seconds} s"
    return f"{minutes // 60} h {minutes % 60} min"


def moment(value: datetime | None) -> str:
    """A time to the second, short enough for a list."""
    return NOTHING if value is None else f"{localtime(value):%Y-%m-%d %H:%M:%S}"


def progress_bar(percent: int) -> SafeString:
    return format_html(
        '<progress max="100" value="{0}" title="{0} %"></progress> {0}&nbsp;%', percent
    )


def page_of(row: Model) -> str:
    """The address of the row's page in the admin."""
    return reverse(
        f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[quote(row.pk)]
    )


def link(row: Model, text: object = None) -> SafeString:
    """A link to the row's page in the admin."""
    return format_html('<a href="{}">{}</a>', page_of(row), row if text is None else text)
