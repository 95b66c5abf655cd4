"""Pages of rows that are facts: shown, and never made, changed or removed by hand."""

from typing import Any

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property


class BoundedPaginator(Paginator):
    """Counts only as far as anybody would page: to count a large table to its end takes seconds."""

    LIMIT = 10_000

    @cached_property
    def count(self) -> int:
        rows = self.object_list
        assert isinstance(rows, QuerySet)
        return rows.order_by().values("pk")[: self.LIMIT].count()


class ReadOnly:
    """For a page or an inline: nothing can be added, changed or deleted here."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class FactsAdmin(ReadOnly, admin.ModelAdmin):
    """A read-only list that stays fast however many rows there are."""

    paginator = BoundedPaginator
    show_full_result_count = False
    list_per_page = 50
