"""Groups of consumers that share the partitions of topics, as Kafka's coordinator leads them.

The members of a group join in rounds. A round ends when all members that were there have joined
again, or have been silent for too long; one of them, the leader, then says who reads what
(https://kafka.apache.org/protocol, "group membership"). All of this is in memory: after a restart
of the broker the members join again. What they have read is in the database.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from dataclasses import dataclass, field

from local_hopsworks.online.wire import (
    ILLEGAL_GENERATION,
    NONE,
    REBALANCE_IN_PROGRESS,
    UNKNOWN_MEMBER_ID,
)

MOST_GROUPS, MOST_MEMBERS = 200, 64
FIRST_ROUND_SECONDS = 0.2  # for members that start at the same time
LONGEST_ROUND_SECONDS = 10.0


@dataclass
class Member:
    """A consumer of a group."""

    id: str
    metadata: bytes  # what it tells the leader
    session_seconds: float
    seen: float = field(default_factory=time.monotonic)
    assignment: bytes = b""


@dataclass(frozen=True)
class Joined:
    """What a member is told at the end of a round."""

    error: int
    generation: int = -1
    protocol: str = ""
    leader: str = ""
    member: str = ""
    members: tuple[tuple[str, bytes], ...] = ()  # for the leader alone


class ConsumerGroup:
    """The members of one group, and the round that they are in."""

    def __init__(self) -> None:
        self._members: dict[str, Member] = {}
        self._joining: dict[str, Member] = {}
        self._generation = 0
        self._protocol = ""
        self._round: asyncio.Task[None] | None = None
        self._assigned = asyncio.Event()
        self._must_rejoin = False

    async def join(
        self, member_id: str, session_seconds: float, protocols: list[tuple[str, bytes]]
    ) -> Joined:
        """Join the round, and wait for its end."""
        if not protocols or len(self._joining) >= MOST_MEMBERS:
            return Joined(UNKNOWN_MEMBER_ID)
        protocol, metadata = protocols[0]
        name = member_id or uuid.uuid4().hex
        self._joining[name] = Member(name, metadata, session_seconds)
        if self._round is None:
            self._round = asyncio.create_task(self._end_round(protocol))
        await asyncio.shield(self._round)
        if name not in self._members:
            return Joined(UNKNOWN_MEMBER_ID)
        leader = next(iter(self._members))
        members = tuple((each.id, each.metadata) for each in self._members.values())
        return Joined(
            NONE, self._generation, self._protocol, leader, name, members if name == leader else ()
        )

    async def _end_round(self, protocol: str) -> None:
        """Wait until all members are here, or those that are missing have gone."""
        start = time.monotonic()
        await asyncio.sleep(FIRST_ROUND_SECONDS)
        while time.monotonic() - start < LONGEST_ROUND_SECONDS:
            self._forget_silent()
            if set(self._members) <= set(self._joining):
                break
            await asyncio.sleep(0.05)
        self._members, self._joining = self._joining, {}
        self._generation += 1
        self._protocol = protocol
        self._assigned = asyncio.Event()
        self._must_rejoin = False
        self._round = None

    async def sync(
        self, member_id: str, generation: int, assignments: dict[str, bytes]
    ) -> tuple[int, bytes]:
        """What a member is to read; the leader brings it for all, the others wait for it."""
        error = self._error_of(member_id, generation)
        if error != NONE:
            return error, b""
        if assignments:
            for name, assignment in assignments.items():
                if name in self._members:
                    self._members[name].assignment = assignment
            self._assigned.set()
        try:
            await asyncio.wait_for(self._assigned.wait(), LONGEST_ROUND_SECONDS)
        except asyncio.TimeoutError:
            return REBALANCE_IN_PROGRESS, b""
        error = self._error_of(member_id, generation)
        return error, self._members[member_id].assignment if error == NONE else b""

    def heartbeat(self, member_id: str, generation: int) -> int:
        """A member is there; the error code that it is told."""
        self._forget_silent()
        error = self._error_of(member_id, generation)
        if error == NONE and (self._must_rejoin or self._round is not None):
            return REBALANCE_IN_PROGRESS
        return error

    def leave(self, member_id: str) -> int:
        """A member goes; the others share what it has read."""
        if self._members.pop(member_id, None) is None:
            return UNKNOWN_MEMBER_ID
        self._must_rejoin = True
        return NONE

    @property
    def is_empty(self) -> bool:
        """Whether it has no member."""
        self._forget_silent()
        return not self._members and not self._joining

    def _error_of(self, member_id: str, generation: int) -> int:
        member = self._members.get(member_id)
        if member is None:
            return UNKNOWN_MEMBER_ID
        member.seen = time.monotonic()
        return NONE if generation == self._generation else ILLEGAL_GENERATION

    def _forget_silent(self) -> None:
        now = time.monotonic()
        for member in list(self._members.values()):
            if now - member.seen > member.session_seconds and member.id not in self._joining:
                del self._members[member.id]
                self._must_rejoin = True


class ConsumerGroups:
    """The groups of one broker."""

    def __init__(self) -> None:
        self._groups: dict[str, ConsumerGroup] = {}

    def of(self, name: str) -> ConsumerGroup:
        """The group of this name; empty ones are forgotten when there are too many."""
        if name not in self._groups:
            if len(self._groups) >= MOST_GROUPS:
                self._groups = {
                    each: group for each, group in self._groups.items() if not group.is_empty
                }
            self._groups[name] = ConsumerGroup()
        return self._groups[name]
