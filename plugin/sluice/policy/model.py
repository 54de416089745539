"""The words of the policy: who asks, what is known, what was decided."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from attrs import Factory, frozen


class Verdict(str, Enum):
    ALLOW = "allow"
    APPROVE = "approve"  # allowed with votes (and maybe a reason)
    DENY = "deny"


@frozen
class Slot:
    """So many distinct persons who hold this role must approve."""

    role: str
    n: int


@frozen
class Matched:
    """One rule that took part in a decision. `label` is its id, `line N`, or `built-in: NAME`."""

    verb: str  # allow, require, limit, deny, built-in
    label: str
    line: int = 0


@frozen
class Checked:
    """One rule that did not match, and the first condition that failed (for `why`)."""

    rule: Matched
    failed: str


@frozen
class Decision:
    """What the policy says of one invocation, and why.

    slots, reason, expires (seconds) hold for ALLOW too where a rule asks for a reason only.
    because: one plain clause for people ("rule signup wants a name of [a-z]{3,20}"), no full stop.
    can: persons (policy names, else MXIDs) who could do it, or, for APPROVE, could approve it.
    retry_at: epoch seconds when the exhausted limit has room again (DENY by limit).
    """

    verdict: Verdict
    rules: tuple[Matched, ...]
    slots: tuple[Slot, ...] = ()
    reason: bool = False
    expires: int | None = None
    because: str = ""
    can: tuple[str, ...] = ()
    retry_at: float | None = None
    checked: tuple[Checked, ...] = ()


@frozen
class Asker:
    """Who asks, as the room sees them at this moment. power: float("inf") for a v12 creator."""

    mxid: str
    joined: bool = True
    power: float = 0


class Account(str, Enum):
    """What is known of an account that an invocation acts on."""

    ACTIVE = "active"
    DEACTIVATED = "deactivated"
    MISSING = "missing"
    UNKNOWN = "unknown"


@frozen
class Facts:
    """What decide() may know beyond the invocation; gathered by the caller, never by the policy.

    used: rule key -> epoch seconds of each use inside the window, oldest first (a use of n targets
    stands n times); the caller counts per person or for everyone as the rule says.
    accounts: what probes know of targets; absent = UNKNOWN only where a rule asks for it.
    admin_room: joined or invited members of the admin room; remote_in_admin_room: any of them is
    from elsewhere. protected_rooms: the admin room and the ops rooms.
    distrusted: MXIDs without role and vote for now (somebody else got their new password).
    """

    used: Mapping[str, tuple[float, ...]] = Factory(dict)
    accounts: Mapping[str, Account] = Factory(dict)
    admin_room: frozenset[str] = frozenset()
    protected_rooms: frozenset[str] = frozenset()
    distrusted: frozenset[str] = frozenset()
    remote_in_admin_room: bool = False
