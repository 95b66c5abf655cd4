"""What can be wrong with a call about people and projects. config/errors.py gives the codes."""


class Refused(Exception):
    """Something that was given can't be taken; `info`: parameter -> reason."""

    def __init__(self, **info: str) -> None:
        super().__init__(info)
        self.info = info


class InvalidParameters(Refused):
    """A parameter is missing, of a wrong type or out of range."""


class InvalidName(Refused):
    """A name is blank, too long, has characters that can't be shown, or imitates a default."""


class NotAuthenticated(Exception):
    """The credentials, the API key or the token are not, or no longer, good."""


class NotAllowed(Exception):
    """Not an active member of the project, or the role is too small, or there is no such project.

    One error for all three, so that nobody can find out which projects exist.
    """


class EntityUnknown(Exception):
    """What was named does not exist, or not for the caller; `info`: parameter -> what it said."""

    def __init__(self, **info: object) -> None:
        super().__init__(info)
        self.info = info


class InvalidAddress(ValueError):
    """The address of a project database is malformed, or points where it may not."""
