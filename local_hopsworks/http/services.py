"""What a service tells about itself, and which services there are.

A service is a folder of this package with a module `service.py`, and in it `SERVICE`. No list names
it: `discovered()` finds it. Its tables are in its module `tables.py`; see metadata.py.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

from starlette.routing import Route

from local_hopsworks.faults import Fault
from local_hopsworks.http.hopsworks import Hopsworks, Variable
from local_hopsworks.metadata import Metadata
from local_hopsworks.store import Store
from local_hopsworks.unfinished import Write, WriteKinds

_PACKAGE = "local_hopsworks"


@dataclass(frozen=True)
class ServiceDescription:
    """One service of Hopsworks.

    What it keeps in memory per server is not here: it asks for it by `call.hopsworks.part(Class)`.
    """

    # The calls of its API; see routing.py
    routes: Sequence[Route] = ()
    # What asks for the API key in a way of its own. Pages for browsers are in a module pages.py of
    # the service, which is loaded when one is asked for; see pages/door.py
    pages: Sequence[Route] = ()
    # What it does on Hopsworks and not here: a pattern of paths below /project/{id} -> its name
    refuses: Mapping[str, str] = field(default_factory=dict)
    # The values of its cluster variables, which the SDK asks for by /variables/{name}
    variables: Mapping[str, Variable] = field(default_factory=dict)
    # What `local_hopsworks check` looks at: the faults of a store
    check: Callable[[Store, Metadata], Iterator[Fault]] | None = None
    # Its kinds of writes that take more than one step, and how a broken one is finished or undone
    writes: Sequence[Write] = ()
    # What happens before a server answers: settle what killed servers left behind
    on_start: Callable[[Hopsworks], None] | None = None
    # What happens when a program logs in, which may be one that was killed before, started again
    on_login: Callable[[Hopsworks], None] | None = None
    # What `local_hopsworks serve` does beside answering, until the server stops
    on_serve: Callable[[Hopsworks], None] | None = None


def discovered() -> tuple[ServiceDescription, ...]:
    """Every service, in the order of the folders' names."""
    return tuple(_described(name) for name in _folders())


def kinds_of_writes(services: Iterable[ServiceDescription]) -> WriteKinds:
    """The kinds of writes of these services that may be broken off."""
    return WriteKinds(write for service in services for write in service.writes)


def modules(name: str) -> list[ModuleType]:
    """The modules of this name that services have, imported by now."""
    paths = [f"{_PACKAGE}.{folder}.{name}" for folder in _folders()]
    return [importlib.import_module(path) for path in paths if importlib.util.find_spec(path)]


def _folders() -> list[str]:
    package = str(Path(__file__).parent.parent)
    folders = sorted(module.name for module in pkgutil.iter_modules([package]) if module.ispkg)
    return [name for name in folders if importlib.util.find_spec(f"{_PACKAGE}.{name}.service")]


def _described(name: str) -> ServiceDescription:
    description: ServiceDescription = importlib.import_module(f"{_PACKAGE}.{name}.service").SERVICE
    return description
