"""What a client is about to do, as far as the order of its calls tells.

The SDK has no call that says "I overwrite this file" or "I save this model": it makes several, and
a program that is killed between two of them would leave half of it behind. Its orders of calls, in
SDK 5.2.1:

    DatasetApi.upload(overwrite=True)    hopsworks_common/core/dataset_api.py
        GET .../dataset/{path} twice (exists, _get), GET /variables/upload_policy
        (_assert_upload_allowed), DELETE .../dataset/{path} (remove), then the chunks or the folder
    Model.save()                         hsml/engine/model_engine.py
        GET .../models/{name}_{version} in vain (_set_model_version), POST
        .../dataset/Models/{name}/{version}?action=create, the files, PUT .../models/...; if
        anything fails it removes the folder, even if it failed because the folder was another
        program's

Nothing here changes what an answer means: a file whose removal was answered is gone. It decides
what is undone if the client ends in the middle.
"""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from local_hopsworks.http.hopsworks import Hopsworks

ANNOUNCED_SECONDS = 10  # from asking for the upload policy to the removal; the SDK does it at once
_MOST = 1000  # facts of a kind that are remembered, so that no client fills the memory

Fact = TypeVar("Fact", bound=Hashable)


class _Recent(Generic[Fact]):
    """The latest facts, how often each was seen."""

    def __init__(self) -> None:
        self._counts: OrderedDict[Fact, int] = OrderedDict()

    def see(self, fact: Fact) -> None:
        self._counts[fact] = self._counts.pop(fact, 0) + 1
        if len(self._counts) > _MOST:
            self._counts.popitem(last=False)

    def count(self, fact: Fact) -> int:
        return self._counts.get(fact, 0)

    def forget(self, fact: Fact) -> int:
        """How often it was seen; from now on it was not."""
        return self._counts.pop(fact, 0)


@dataclass
class _Overwriting:
    """How far one client's calls of `upload(overwrite=True)` are; its threads may do several.
    Times are in seconds of the monotonic clock."""

    # when it looked at a file for the last time, and for the last but one
    looks: OrderedDict[Path, tuple[float, float]] = field(default_factory=OrderedDict)
    announced: list[float] = field(default_factory=list)  # when it asked for the upload policy

    def look(self, file: Path) -> None:
        last, _ = self.looks.pop(file, (-math.inf, -math.inf))
        self.looks[file] = time.monotonic(), last
        if len(self.looks) > _MOST:
            self.looks.popitem(last=False)

    def is_about_to_remove(self, file: Path) -> bool:
        """Whether the policy was asked for right after two looks at the file, and just now."""
        last, last_but_one = self.looks.get(file, (math.inf, math.inf))
        oldest = time.monotonic() - ANNOUNCED_SECONDS
        self.announced = [asked for asked in self.announced if asked > oldest]
        return any(
            asked >= last and last_but_one > asked - ANNOUNCED_SECONDS for asked in self.announced
        )


class Intents:
    """What the clients of one server are about to do. A client is named as in clients.py, by an
    empty text if it is not known; of such a one nothing is guessed."""

    def __init__(self, hopsworks: Hopsworks) -> None:
        self._lock = threading.Lock()
        self._overwriting: OrderedDict[str, _Overwriting] = OrderedDict()
        self._missed_models: _Recent[tuple[str, str]] = _Recent()
        self._folders_of_others: _Recent[tuple[str, Path]] = _Recent()

    def asked_about_files(self, client: str) -> None:
        """The client has asked what there is in dataset storage, as it does before an upload."""
        with self._lock:
            if client:
                self._of(client)

    def has_asked_about_files(self, client: str) -> bool:
        """Whether the client has done so, or anything else that is noted of it."""
        with self._lock:
            return client in self._overwriting

    def looked_at(self, client: str, file: Path) -> None:
        """The client has asked for a file's attributes."""
        with self._lock:
            if client:
                self._of(client).look(file)

    def asked_for_upload_policy(self, client: str) -> None:
        """The client has asked whether it may upload."""
        with self._lock:
            if client:
                self._of(client).announced.append(time.monotonic())

    def is_about_to_overwrite(self, client: str, path: Path) -> bool:
        """Whether the removal of a file or folder is the first half of `upload(overwrite=True)`."""
        with self._lock:
            steps = self._overwriting.get(client)
            return steps is not None and steps.is_about_to_remove(path)

    def overwrites(self, client: str, path: Path) -> bool:
        """The second half has begun, or never tells of its beginning, as that of a folder. Whether
        it was the client's last: what else it removed since it asked for the policy was then no
        first half."""
        with self._lock:
            steps = self._of(client)
            steps.looks.pop(path, None)
            del steps.announced[:1]
            if not steps.announced:
                steps.looks.clear()
            return not steps.announced

    def missed_model(self, client: str, identifier: str) -> None:
        """The client has asked for `{name}_{version}` in vain."""
        with self._lock:
            self._missed_models.see((client, identifier))

    def is_about_to_save_model(self, client: str, identifier: str) -> bool:
        """Whether making the version's folder belongs to `Model.save()`. A program that makes it
        by hand has not asked for the version, and need not register it."""
        with self._lock:
            return self._missed_models.forget((client, identifier)) > 0

    def found_folder_of_another(self, connection: str, folder: Path) -> None:
        """On this connection a folder could not be made because another program had made it."""
        with self._lock:
            self._folders_of_others.see((connection, folder))

    def made_folder(self, connection: str, folder: Path) -> None:
        """On this connection the folder was made."""
        with self._lock:
            self._folders_of_others.forget((connection, folder))

    def is_about_to_clear_folder_of_another(self, connection: str, folder: Path) -> bool:
        """Whether the removal of a folder is `Model.save()` cleaning up after a failure."""
        with self._lock:
            return self._folders_of_others.forget((connection, folder)) > 0

    def _of(self, client: str) -> _Overwriting:
        found = self._overwriting.setdefault(client, _Overwriting())
        self._overwriting.move_to_end(client)
        if len(self._overwriting) > _MOST:
            self._overwriting.popitem(last=False)
        return found
