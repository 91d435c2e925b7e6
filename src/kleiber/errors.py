"""Everything kleiber raises on purpose, in one tree.

::

    KleiberError                 any of the below: a message, a remedy, a stable code
    ├── UsageError               an option or argument that means nothing ("usage")
    ├── InputError               a file or a table that cannot be used ("input")
    │   ├── ColumnError          a needed column is missing or ambiguous ("columns")
    │   ├── UnitError            a unit or a count's convention is unknown or mixed ("units")
    │   └── ValuesError          values that no training run can have ("values")
    ├── FitError                 the data cannot carry the law that was asked for ("fit")
    └── MissingExtraError        an optional part is not installed ("extra")

The message says what was found, where, and what was expected; the remedy says what to do
next, naming the option that does it.
"""

from __future__ import annotations


class KleiberError(Exception):
    """Base of every error that kleiber raises on purpose."""

    code = "error"

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".strip()

    def to_dict(self) -> dict[str, dict[str, str]]:
        """Return the one error shape that every ``--json`` output shares."""
        return {"error": {"code": self.code, "message": self.message, "remedy": self.remedy}}


class UsageError(KleiberError):
    """An option or an argument that means nothing."""

    code = "usage"


class InputError(KleiberError):
    """A file or a table that cannot be used."""

    code = "input"


class ColumnError(InputError):
    """A needed column is missing or ambiguous."""

    code = "columns"


class UnitError(InputError):
    """A unit, or the convention of a count, is unknown or mixed."""

    code = "units"


class ValuesError(InputError):
    """Values that no training run can have."""

    code = "values"


class FitError(KleiberError):
    """The data cannot carry the law that was asked for."""

    code = "fit"


class MissingExtraError(KleiberError):
    """An optional part of kleiber is not installed."""

    code = "extra"


def refused_by_system(error: OSError) -> InputError:
    """Return what the operating system refused as an error of this tree."""
    what = f"'{error.filename}'" if error.filename else "A file"
    return InputError(
        f"{what} cannot be used: {error.strerror or error}.",
        remedy="Check the path, its permissions and the space on the disk.",
    )
