"""The calls of consumers: their groups, what they have read, and the records themselves."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from local_hopsworks.online import wire
from local_hopsworks.online.brokered import Brokered
from local_hopsworks.online.consumer_groups import ConsumerGroups
from local_hopsworks.online.wire import Reader, array, binary, int16, int32, int64, string

_LONGEST_WAIT = 5.0  # seconds that a fetch may wait for records
_POLL_SECONDS = 0.05
_MOST_BYTES = 16 * 2**20  # in the answer to a fetch

Call = Callable[[Reader], Awaitable[bytes | None]]
InWorker = Callable[..., Awaitable[Any]]


class Coordinator:
    """Answers consumers. `in_worker` runs a function where the stores may be used."""

    def __init__(self, stores: Brokered, in_worker: InWorker) -> None:
        self._stores, self._in_worker = stores, in_worker
        self._groups = ConsumerGroups()
        self.calls: dict[int, Call] = {
            wire.FETCH: self._fetch,
            wire.OFFSET_COMMIT: self._offset_commit,
            wire.OFFSET_FETCH: self._offset_fetch,
            wire.JOIN_GROUP: self._join_group,
            wire.HEARTBEAT: self._heartbeat,
            wire.LEAVE_GROUP: self._leave_group,
            wire.SYNC_GROUP: self._sync_group,
        }

    # ---------------------------------------------------------------------------------------------
    # records

    async def _fetch(self, reader: Reader) -> bytes:
        reader.int32()  # not a broker, but a consumer
        wait, least, most = reader.int32() / 1000, reader.int32(), reader.int32()
        reader.int8()  # how isolated from transactions

        def topic() -> list[tuple[str, int, int, int]]:
            name = reader.string()
            return reader.array(lambda: (name, reader.int32(), reader.int64(), reader.int32()))

        parts = [part for parts in reader.array(topic) for part in parts]
        most = min(max(most, 0), _MOST_BYTES)
        end = asyncio.get_running_loop().time() + min(wait, _LONGEST_WAIT)
        while True:
            found = [await self._in_worker(self._stores.fetch, *part, most) for part in parts]
            size = sum(len(each.records) for each in found)
            is_over = asyncio.get_running_loop().time() >= end
            if size >= max(least, 1) or is_over or any(each.error for each in found):
                break
            await asyncio.sleep(_POLL_SECONDS)
        answered = []
        for (name, part, _, _), each in zip(parts, found, strict=True):
            offsets = int64(each.end) + int64(each.end)
            partition = int32(part) + int16(each.error) + offsets + int32(-1) + binary(each.records)
            answered.append(string(name) + array([partition]))
        return int32(0) + array(answered)

    # ---------------------------------------------------------------------------------------------
    # groups

    async def _join_group(self, reader: Reader) -> bytes:
        group, session = reader.string(), reader.int32() / 1000
        member, _ = reader.string(), reader.string()  # the other is always "consumer"
        protocols = reader.array(lambda: (reader.string(), reader.binary()))
        joined = await self._groups.of(group).join(member, session, protocols)
        names = string(joined.protocol) + string(joined.leader) + string(joined.member)
        members = array(string(name) + binary(metadata) for name, metadata in joined.members)
        return int16(joined.error) + int32(joined.generation) + names + members

    async def _sync_group(self, reader: Reader) -> bytes:
        group, generation, member = reader.string(), reader.int32(), reader.string()
        assignments = reader.array(lambda: (reader.string(), reader.binary()))
        error, own = await self._groups.of(group).sync(member, generation, dict(assignments))
        return int16(error) + binary(own)

    async def _heartbeat(self, reader: Reader) -> bytes:
        group, generation, member = reader.string(), reader.int32(), reader.string()
        return int16(self._groups.of(group).heartbeat(member, generation))

    async def _leave_group(self, reader: Reader) -> bytes:
        group, member = reader.string(), reader.string()
        return int16(self._groups.of(group).leave(member))

    # ---------------------------------------------------------------------------------------------
    # what they have read

    async def _offset_commit(self, reader: Reader) -> bytes:
        group = reader.string()
        reader.int32(), reader.string(), reader.int64()  # generation, member, retention

        def topic() -> tuple[str, list[tuple[int, int, str]]]:
            name = reader.string()
            return name, reader.array(lambda: (reader.int32(), reader.int64(), reader.string()))

        answered = []
        for name, parts in reader.array(topic):
            answers = []
            for part, offset, _ in parts:
                known = await self._in_worker(self._stores.commit, group, name, part, offset)
                error = wire.NONE if known else wire.UNKNOWN_TOPIC_OR_PARTITION
                answers.append(int32(part) + int16(error))
            answered.append(string(name) + array(answers))
        return array(answered)

    async def _offset_fetch(self, reader: Reader) -> bytes:
        group = reader.string()
        answered = []
        for name, parts in reader.array(lambda: (reader.string(), reader.array(reader.int32))):
            answers = []
            for part in parts:
                offset = await self._in_worker(self._stores.committed, group, name, part)
                answers.append(int32(part) + int64(offset) + string("") + int16(wire.NONE))
            answered.append(string(name) + array(answers))
        return array(answered)
