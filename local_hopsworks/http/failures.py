"""One sentence for a failure of this server or of its disk: where it happened, and what to do."""

from __future__ import annotations

import contextlib
import errno
import logging
import sqlite3
from collections.abc import Iterator

import sqlalchemy as sa

from local_hopsworks.errors import HopsworksError
from local_hopsworks.store import Store

_log = logging.getLogger("local_hopsworks")
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NO_DESCRIPTORS = (errno.EMFILE, errno.ENFILE)
_NOT_WRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS)


@contextlib.contextmanager
def explaining(call: str, store: Store) -> Iterator[None]:
    """Log an error that no handler expected, and raise the answer to the `call` in its place."""
    try:
        yield
    except HopsworksError:
        raise
    except Exception as error:  # of this server or of the disk
        _log.error("%s failed", call, exc_info=error)
        raise explained(error, call, store) from error


def explained(error: Exception, call: str, store: Store) -> HopsworksError:
    """The answer to a `call` (method and path) that ended in an error that no handler expected."""
    if isinstance(error, sa.exc.DatabaseError) and not isinstance(error, sa.exc.IntegrityError):
        return _of_database(f"The metadata in {store.metadata_file}", error.orig)
    if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.IntegrityError):
        return _of_database(f"A database of the store {store.home}", error)
    if isinstance(error, OSError) and error.errno in _FULL:
        message = (
            f"There is no room in the store {store.home} ({error.strerror}): {call} was not done. "
            "Make room there."
        )
    elif isinstance(error, OSError) and error.errno in _NOT_WRITABLE:
        message = (
            f"The store cannot be written at {error.filename} ({error.strerror}): "
            f"{call} was not done."
        )
    elif isinstance(error, OSError) and error.errno in _NO_DESCRIPTORS:
        message = (
            f"The server has as many files and connections open as the system allows "
            f"({error.strerror}): {call} was not done. End some programs, or raise `ulimit -n`."
        )
    else:
        message = f"The embedded Hopsworks failed at {call}: {type(error).__name__}: {error}."
    return HopsworksError(message, status=500)


def _of_database(what: str, error: BaseException | None) -> HopsworksError:
    """SQLite is busy (the caller may try again), or its file is damaged."""
    sentence = f"{what} cannot be used: {error}."
    if "locked" in str(error):
        return HopsworksError(f"{sentence} Try again.", status=503)
    todo = "Nothing was changed; python -m local_hopsworks check finds what is wrong."
    return HopsworksError(f"{sentence} {todo}", status=500)
