"""How one endpoint is described; the tables are in the modules of config/openapi/calls/."""

from dataclasses import dataclass, field
from typing import Any

from config.openapi.failures import Failure
from config.openapi.shapes import EMPTY, Shape, example_of, record
from projects.parameters import Parameters


@dataclass(frozen=True)
class Call:
    """What an endpoint takes and answers; `result` and `data` stand in the envelope.

    What follows from the view is not repeated here: who may call, throttles, the path.
    """

    tag: str
    summary: str
    result: Shape
    data: Shape = field(default_factory=lambda: EMPTY)
    description: str = ""
    takes: type[Parameters] | None = None
    # The body of the example, and what the documents say of parameters beyond their types.
    body: dict[str, Any] = field(default_factory=dict)
    notes: dict[str, Shape] = field(default_factory=dict)
    # At least one of these parameters must be there.
    one_of: tuple[str, ...] = ()
    fails: tuple[Failure, ...] = ()
    forbids: bool = False
    signs_in: bool = False
    repeatable: bool = False
    # A form with a file in the field `upload_file`; an answer that is a file of this type.
    takes_file: bool = False
    gives_file: str = ""

    @property
    def answer(self) -> Shape:
        return record({"success": {"const": True}, "result": self.result, "data": self.data})

    @property
    def example(self) -> Any:
        return example_of(self.answer)
