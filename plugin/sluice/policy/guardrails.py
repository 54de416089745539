"""What no policy can allow, break-glass included: the built-in rules.

"The policy names" an account when it is written out in `people` or `members`.
"""

from __future__ import annotations

from collections.abc import Iterator

from attrs import frozen

from ..catalog.record import Does
from ..model.command import Tag, Type
from ..model.decision import Slot
from ..text.message import Text, code
from ..text.phrases import person
from .people import is_named, person_of, roles_of_person
from .rules import Query

GLASS_TARGETS = 3  # the most accounts that one break-glass may act on


@frozen
class BuiltIn:
    """A built-in rule that applies. fixed: nobody can, whoever asks."""

    name: str
    because: Text
    fixed: bool = True


def refusals(query: Query, glass: bool) -> list[BuiltIn]:
    """Every built-in rule that applies."""
    found = list(_of_command(query))
    for target in query.targets:
        found += _of_target(target, query)
    if glass:
        found += _of_glass(query)
    return found


def _of_command(query: Query) -> Iterator[BuiltIn]:
    facts, policy = query.facts, query.policy
    destructive = Tag.DESTRUCTIVE in query.command.tags
    needed = "without it nobody runs this server"
    if destructive and query.command.has(Type.ALIAS):
        alias = str(query.invocation.get("alias"))
        if alias.partition(":")[0].lower() == "#admins":
            yield BuiltIn("admin-room", (f"that is the admin room's address; {needed}",))
    elif destructive and query.command.has(Type.ROOM):
        room = query.invocation.get("room")
        if room in policy.ops_rooms:
            yield BuiltIn("ops-room", ("that is an ops room; commands are typed there",))
        elif room in (policy.admin_room, f"!admins:{policy.server}", *facts.protected_rooms):
            # The second is what `#admins` stands for where no address can be looked up.
            yield BuiltIn("admin-room", (f"that is the admin room; {needed}",))
    if facts.remote_in_admin_room and Tag.SECRET in query.command.tags:
        yield BuiltIn(
            "remote-admins", ("members of other servers in the admin room would see the password",)
        )


def _of_target(target: str, query: Query) -> Iterator[BuiltIn]:
    policy, does = query.policy, query.command.does
    makes, resets = does is Does.MAKES_ACCOUNTS, does is Does.RESETS_PASSWORD
    destructive = Tag.DESTRUCTIVE in query.command.tags
    named = is_named(policy, target)
    if destructive or resets:
        if target == query.facts.bot:
            yield BuiltIn("own-account", ("that is my own account",))
        elif target == f"@conduit:{policy.server}":
            yield BuiltIn("server-user", ("that is Conduit's own account",))
        elif person_of(policy, target) == person_of(policy, query.asker.mxid):
            yield BuiltIn("self", ("that is your own account",), fixed=False)
    if makes and named:
        yield BuiltIn("named", (code(target), " is an account that the policy names"))
    if target in query.facts.admin_room and (destructive or makes or (resets and not named)):
        yield BuiltIn("admin-room", (code(target), " is in the admin room"))
    if destructive and named and not query.roles > roles_of_person(policy, target):
        who = person(person_of(policy, target))
        yield BuiltIn("rank", ("your rights do not go beyond those of ", who), fixed=False)
    if target.partition(":")[2] != policy.server:
        yield BuiltIn("remote", (code(target), " is an account of another server"))


def _of_glass(query: Query) -> Iterator[BuiltIn]:
    glass = query.policy.break_glass
    if glass is None or glass.role not in query.roles:
        who = f"for {glass.role}s" if glass else "not switched on in this policy"
        yield BuiltIn("break-glass", (f"break-glass is {who}",), fixed=glass is None)
    if len(query.targets) > GLASS_TARGETS:
        yield BuiltIn("break-glass", (f"break-glass takes {GLASS_TARGETS} accounts at most",))
    if votes_for_named(query):
        yield BuiltIn(
            "break-glass", ("a new password for somebody with rights always needs a vote",)
        )


def votes_for_named(query: Query) -> list[Slot]:
    """`resetpw` of an account that the policy names: somebody with all of its rights must agree.

    Whoever is handed the password could else be two people. Votes through `@*:server` do not
    count, since the bot itself can make such an account; an owner's does in their place. A seat in
    the admin room is worth more than any role, so there an owner must agree as well.
    """
    if query.command.does is not Does.RESETS_PASSWORD:
        return []
    policy = query.policy
    slots = []
    for target in query.targets:
        if is_named(policy, target):
            held = roles_of_person(policy, target)
            held -= policy.by_glob
            inherited = (policy.closure[role] - {role} for role in held)
            highest = held.difference(*inherited) or {policy.owners}
            if target in query.facts.admin_room:
                highest = (highest - policy.closure.get(policy.owners, highest)) | {policy.owners}
            slots += [Slot(role, 1) for role in highest]
    return slots
