"""By which numbers a version in the making calls the packs that it lies in.

A number means something within one outline and its layers. Layers that are taken over whole must
find their packs by the numbers that they use; all else is told in new layers, by any number that is
free. New packs are numbered from `first_new` on, which is above all numbers of the version that
leads, so in a line of versions a number is given once. Where two lines come together whose numbers
say different things, a pack that can't keep its number gets one far above, where new packs never
get; so can one pack have two numbers.
"""

from collections.abc import Mapping

from backups.store.packs import Pack

# More packs than that no version puts.
_ROOM_FOR_NEW = 1 << 32


class PackNumbers:
    """The packs of one outline by their numbers; more of them than are used in the end."""

    def __init__(self, first_new: int) -> None:
        self.packs: dict[int, Pack] = {}
        self._first_new = first_new
        self._next_free = first_new + _ROOM_FOR_NEW
        self._numbers: dict[str, int] = {}
        self._agreed: dict[int, Mapping[int, Pack]] = {}  # by identity: a version's are many
        self._next = first_new

    def agree(self, packs: Mapping[int, Pack], next_pack: int) -> bool:
        """Let all these packs have these numbers; False, and nothing is done, if one is taken.

        `next_pack` is above all numbers that layers use which come with them.
        """
        if id(packs) in self._agreed:
            return True
        for number, pack in packs.items():
            known = self.packs.get(number)
            if known.name != pack.name if known else number >= self._first_new:
                return False
        for number, pack in packs.items():
            self.packs[number] = pack
            self._numbers.setdefault(pack.name, number)
        self._agreed[id(packs)] = packs
        self._next = max(self._next, next_pack)
        return True

    def number_of(self, pack: Pack, wish: int) -> int:
        """The number of a pack that another version has; the wish, if that is free."""
        number = self._numbers.get(pack.name)
        if number is None:
            number = wish
            if wish >= self._first_new or wish in self.packs:
                number, self._next_free = self._next_free, self._next_free + 1
            self.packs[number] = pack
            self._numbers[pack.name] = number
            self._next = max(self._next, number + 1)
        return number

    def next_pack(self, next_new: int) -> int:
        """Above all numbers, `next_new` being that of the next new pack."""
        return max(self._next, next_new)
