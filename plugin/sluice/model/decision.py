"""The words of the policy: who asks, what is known, what was decided."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from attrs import Factory, frozen

from ..text.message import Text


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
    clause: Text = ()  # what it says here: "yes", "a reason, 1 mod, 1 hour", "1 of 5 used"


@frozen
class Quota:
    """A limit rule that applies, and how much of it is used. Window in seconds; it rolls."""

    rule: Matched
    per: str  # person, everyone
    max: int
    every: int
    used: int
    cost: int  # what this invocation takes

    @property
    def left(self) -> int:
        return max(self.max - self.used, 0)


@frozen
class Checked:
    """One allow rule that did not match, and the first condition that failed (for `why`)."""

    rule: Matched
    failed: Text  # "“al” does not fit [a-z]{3,20}"; foreign text in Code


@frozen
class Decision:
    """What the policy says of one invocation, and why.

    rules: those that decided: for DENY every deny, built-in rule or exhausted limit that matched
    (none: no line allows it); otherwise the allow and require rules.
    limits: every limit that applies, also those that have room and so did not decide.
    slots, reason, expires (seconds) hold for ALLOW too where a rule asks for a reason only.
    because: for DENY in plain words ("“al” is too short. Names here have …"), no full stop.
    by_role: there is no more to it than who may. fixed: built in, so nobody can. retry_at: epoch
    seconds when an exhausted limit has room again, or when a deny with a window ends. error: class
    of the exception that made it a deny. can, checked: filled by `explain` only, they cost more.
    can: persons (policy names, else MXIDs) who could do it instead (DENY), or who could approve it
    (APPROVE).
    """

    verdict: Verdict
    rules: tuple[Matched, ...]
    slots: tuple[Slot, ...] = ()
    reason: bool = False
    expires: int | None = None
    because: Text = ()
    can: tuple[str, ...] = ()
    retry_at: float | None = None
    checked: tuple[Checked, ...] = ()
    limits: tuple[Quota, ...] = ()
    fixed: bool = False
    error: str = ""
    by_role: bool = False


@frozen
class Asker:
    """Who asks, as the room sees them at this moment. power: float("inf") for a v12 creator."""

    mxid: str
    joined: bool = True
    power: float = 0


@frozen
class Facts:
    """What decide() may know beyond the invocation; gathered by the caller, never by the policy.

    used: rule key -> epoch seconds of each use inside the window, oldest first (a use of n targets
    stands n times); the caller counts per person or for everyone as the rule says.
    admin_room: joined or invited members of the admin room; remote_in_admin_room: any of them is
    from elsewhere. protected_rooms: the admin room and the ops rooms.
    distrusted: MXIDs without role and vote for now (somebody else got their new password).
    bot: the bot's own MXID ("" offline).
    """

    used: Mapping[str, tuple[float, ...]] = Factory(dict)
    admin_room: frozenset[str] = frozenset()
    protected_rooms: frozenset[str] = frozenset()
    distrusted: frozenset[str] = frozenset()
    remote_in_admin_room: bool = False
    bot: str = ""
