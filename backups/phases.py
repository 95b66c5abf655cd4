"""How far work of several phases is, as one count of units that never rises."""

from backups.engines.interface import Progress


class TakeProgress:
    """The units that were read. The last one is done when all is stored and was read back."""

    def __init__(self, progress: Progress, units: int, unit_size: int) -> None:
        self._progress = progress
        self._total = units
        self._unit_size = unit_size
        self._read = 0

    def read(self, size: int) -> None:
        """The snapshot's next `size` bytes are taken in."""
        self._read += size
        self._progress(self._total, max(1, self._total - self._read // self._unit_size))

    def done(self) -> None:
        """All is stored and checked."""
        self._progress(self._total, 0)


class RestorePhases:
    """What is kept first as four tenths of the work, if anything is; counted in the version's
    units."""

    def __init__(self, progress: Progress, total: int, *, keeps: bool) -> None:
        self._progress = progress
        self._total = total
        self._keeping = total * 4 // 10 if keeps else 0
        self._remaining = total

    def kept(self, total: int, remaining: int) -> None:
        """How far the version is that is made of what the database held."""
        done = self._keeping * (total - remaining) // max(1, total)
        self._report(max(1, self._total - done))

    def restored(self, total: int, remaining: int) -> None:
        """How far the engine is."""
        self._report(-(-(self._total - self._keeping) * remaining // max(1, total)))

    def _report(self, remaining: int) -> None:
        self._remaining = min(self._remaining, remaining)
        self._progress(self._total, self._remaining)
