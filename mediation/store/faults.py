"""What can go wrong between the store and its database, in the event library's words."""

from __future__ import annotations

from eventsourcing import persistence
from sqlalchemy.exc import DBAPIError, SQLAlchemyError


class LostError(Exception):
    """The connection went away after the batch was sent: it may have been committed or not."""


class NoHeadError(Exception):
    """The head row is not there: this is no migrated store."""


def translated(error: Exception) -> persistence.PersistenceError:
    """Give a driver's or SQLAlchemy's error as the persistence error of the same name."""
    if isinstance(error, DBAPIError) and isinstance(error.orig, Exception):
        error = error.orig
    for base in type(error).__mro__:
        kind = _ERRORS.get(base.__name__)
        if kind is not None:
            return kind(str(error))
    if isinstance(error, SQLAlchemyError):
        return persistence.OperationalError(str(error))
    return persistence.PersistenceError(str(error))


_ERRORS: dict[str, type[persistence.PersistenceError]] = {
    kind.__name__: kind
    for kind in (
        persistence.InterfaceError,
        persistence.DataError,
        persistence.OperationalError,
        persistence.IntegrityError,
        persistence.InternalError,
        persistence.ProgrammingError,
        persistence.NotSupportedError,
        persistence.DatabaseError,
    )
}
