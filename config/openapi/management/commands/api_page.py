from typing import Any

from django.core.management.base import BaseCommand

from config.openapi.document import whole_document
from config.openapi.page import MARK, PAGE, written


class Command(BaseCommand):
    help = "Writes docs/api.md anew from the API's description. For those who change the API."

    def handle(self, *args: Any, **options: Any) -> None:
        head = PAGE.read_text().partition(MARK)[0]
        PAGE.write_text(head + MARK + written(whole_document()))
