"""What no policy can allow, break-glass included: the built-in rules.

"The policy names" an account when it is written out in `people` or `members`.
"""

from __future__ import annotations

from collections.abc import Iterator

from attrs import frozen

from ..model.command import Tag
from ..model.decision import Slot
from ..text.message import Text, code
from .people import is_named, person_of, roles_of_person
from .rules import Case

GLASS_TARGETS = 3  # the most accounts that one break-glass may act on


@frozen
class Refusal:
    """A built-in rule that applies. fixed: nobody can, whoever asks."""

    name: str
    because: Text
    fixed: bool = True


def refusals(case: Case, glass: bool) -> list[Refusal]:
    """Every built-in rule that applies."""
    found = list(_of_command(case))
    for target in case.targets:
        found += _of_target(target, case)
    if glass:
        found += _of_glass(case)
    return found


def _of_command(case: Case) -> Iterator[Refusal]:
    name, facts, policy = case.command.name, case.facts, case.policy
    needed = "without it nobody runs this server"
    if name == "rmalias":
        alias = str(case.invocation.get("alias"))
        if alias.partition(":")[0].lower() == "#admins":
            yield Refusal("admin-room", (f"that is the admin room's address; {needed}",))
    elif name == "disableroom":
        room = case.invocation.get("room")
        if room in policy.ops_rooms:
            yield Refusal("ops-room", ("that is an ops room; commands are typed there",))
        elif room in (policy.admin_room, f"!admins:{policy.server}", *facts.protected_rooms):
            # The second is what `#admins` stands for where no address can be looked up.
            yield Refusal("admin-room", (f"that is the admin room; {needed}",))
    if facts.remote_in_admin_room and Tag.SECRET in case.command.tags:
        yield Refusal(
            "remote-admins", ("members of other servers in the admin room would see the password",)
        )


def _of_target(target: str, case: Case) -> Iterator[Refusal]:
    policy, name = case.policy, case.command.name
    destructive = Tag.DESTRUCTIVE in case.command.tags
    named = is_named(policy, target)
    if destructive or name == "resetpw":
        if target == case.facts.bot:
            yield Refusal("own-account", ("that is my own account",))
        elif target == f"@conduit:{policy.server}":
            yield Refusal("server-user", ("that is Conduit's own account",))
        elif person_of(policy, target) == person_of(policy, case.asker.mxid):
            yield Refusal("self", ("that is your own account",), fixed=False)
    if name == "adduser" and named:
        yield Refusal("named", (code(target), " is an account that the policy names"))
    if target in case.facts.admin_room and (
        destructive or name == "adduser" or (name == "resetpw" and not named)
    ):
        yield Refusal(
            "admin-room",
            (
                code(target),
                " is in the admin room",
            ),
        )
    if destructive and named and not case.roles > roles_of_person(policy, target):
        who = person_of(policy, target)
        said = code(who) if who.startswith("@") else who
        yield Refusal("rank", ("your rights do not go beyond those of ", said), fixed=False)
    if target.partition(":")[2] != policy.server:
        yield Refusal(
            "remote",
            (
                code(target),
                " is an account of another server",
            ),
        )


def _of_glass(case: Case) -> Iterator[Refusal]:
    glass = case.policy.break_glass
    if glass is None or glass.role not in case.roles:
        who = f"for {glass.role}s" if glass else "not switched on in this policy"
        yield Refusal("break-glass", (f"break-glass is {who}",), fixed=glass is None)
    if len(case.targets) > GLASS_TARGETS:
        yield Refusal("break-glass", (f"break-glass takes {GLASS_TARGETS} accounts at most",))
    if votes_for_named(case):
        yield Refusal(
            "break-glass", ("a new password for somebody with rights always needs a vote",)
        )


def votes_for_named(case: Case) -> list[Slot]:
    """`resetpw` of an account that the policy names: somebody with all of its rights must agree.

    Whoever is handed the password could else be two people. Votes through `@*:server` do not
    count, since the bot itself can make such an account; an owner's does in their place. A seat in
    the admin room is worth more than any role, so there an owner must agree as well.
    """
    if case.command.name != "resetpw":
        return []
    policy = case.policy
    slots = []
    for target in case.targets:
        if is_named(policy, target):
            held = roles_of_person(policy, target)
            held -= policy.by_glob
            inherited = (policy.closure[role] - {role} for role in held)
            highest = held.difference(*inherited) or {policy.owners}
            if target in case.facts.admin_room:
                highest = (highest - policy.closure.get(policy.owners, highest)) | {policy.owners}
            slots += [Slot(role, 1) for role in highest]
    return slots
