"""The progress of a restore, or of reading a version's content."""

from backups.engines.interface import Progress


class RestoreProgress:
    """A restore's phases as one count of units that never rises."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress = progress
        self._total = total
        self._remaining = total

    def written(self, units: int) -> None:
        """The first `units` units have been written: seven tenths of the work."""
        self._report(self._total - units * 7 // 10)

    def reread(self, units: int, of: int) -> None:
        """`units` of the `of` units to be read back have been: two tenths of the work."""
        share = self._total * units // max(1, of)
        self._report(self._total - self._total * 7 // 10 - share * 2 // 10)

    def tick(self) -> None:
        """Still at work; gives the caller a chance to stop it."""
        self._report(self._remaining)

    def done(self) -> None:
        """Everything but the commit is done."""
        self._remaining = 0
        self._progress(self._total, 0)

    def _report(self, remaining: int) -> None:
        self._remaining = min(self._remaining, max(remaining, 1))
        self._progress(self._total, self._remaining)
