"""What Sluice says by itself of its start and of its policy: new, in error, changed, in force."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from attrs import evolve

from ..catalog.accounts import USERS
from ..catalog.rooms import ROOMS
from ..catalog.table import COMMANDS
from ..difference import Change
from ..policy.access import Member
from ..text.message import MAX_LINES, Message, Sign, Text, code, plain
from ..text.phrases import (
    Here,
    alarm,
    codes,
    count,
    line,
    listed,
    marked,
    news,
    not_run,
    people,
    person,
    say,
)
from ..text.saying import says
from .health import numbered

Role = tuple[str, tuple[Member, ...], float]
"""A role as it is read out: name, members (persons, MXIDs, `@*:server`), least room power."""
Problem = tuple[int, str]
"""A line of the policy, and what is wrong there."""


def roles_line(roles: Sequence[Role]) -> Text:
    """`Owners: ana, dan. Mods: bo, cy. Helpers: accounts of …`, the highest role first."""
    if not roles:
        return ("Nobody has a role yet.",)
    return listed([_role(*role) for role in roles], between=" ")


def _role(name: str, members: Sequence[Member], power: float) -> Text:
    who = [_member(*member) for member in members]
    many = name if name.endswith("s") else f"{name}s"
    with_power = f" with power {power:g} or more here" if power else ""
    return (f"{many[:1].upper()}{many[1:]}: ", *listed(who or ["nobody"]), f"{with_power}.")


def _member(who: str, accounts: Sequence[str]) -> Text:
    if who.startswith("@*:"):
        return (f"accounts of {who[3:]}",)
    return (person(who), " (", *people(accounts, ""), ")") if accounts else (person(who),)


# --- start --------------------------------------------------------------------------------------


def ready(
    here: Here,
    version: str,
    conduit: str,
    roles: Sequence[Role],
    *,
    encrypted: bool,
    problems: Sequence[Text] = (),
) -> Message:
    """The first start. conduit: `Conduit 0.10.12`."""
    if problems:
        n, rows = len(problems), numbered(problems)
        return alarm(here.owners, "Sluice is ready, with {n:count problem}.", *rows, n=n)
    how = "private encrypted messages" if encrypted else "private messages"
    sizes = USERS.fits, ROOMS.fits
    return _ready(here, version, conduit, roles_line(roles), how, *sizes)


@says("""🔔 Sluice {version} is ready. {conduit} on {here.server} answers.
{roles}
Passwords go by {how}.
Commands: `!help` · Health: `!status`
Owners: fewer than {accounts:,} accounts and {rooms:,} rooms? Tap ✅ to allow lists.""")
def _ready(
    here: Here,
    version: str,
    conduit: str,
    roles: Text,
    how: str,
    accounts: int,
    rooms: int,
) -> None: ...


@says("📋 Noted, {owner:person}: who may list accounts and rooms can do so now.")
def small_server(owner: str) -> None:
    """An owner tapped below the hello."""


@says("⛔ Only an owner can say how large this server is: {owners:people}.")
def owner_knows(owners: Sequence[str]) -> None:
    """Somebody else tapped there."""


NEW_IN = {
    "1.0.0": "Relays commands of moderators into Conduit's admin room, under a policy, with votes "
    "and a log.",
    "1.1.0": "Asks back where it did not understand you, and says in every error what to write "
    "instead.",
}
"""What a version brings, as CHANGELOG.md begins."""


def other_version(here: Here, version: str, was: str) -> Message:
    """The first start of another version."""
    if _number(version) < _number(was):
        news: Text = ("It is the older one: look whether that is meant.",)
    else:
        news = (NEW_IN[version],) if version in NEW_IN else ()
    return _other_version(version, was, news)


@says("""🔔 Sluice {version} runs here now, it was {was}.
{news}""")
def _other_version(version: str, was: str, news: Text) -> None: ...


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))


def groups_grew(here: Here, version: str, gained: Mapping[str, Sequence[str]]) -> Message:
    """The first start of a new version, which has new commands. gained: by group of the policy."""
    return alarm(
        here.owners,
        "Sluice {version} has new commands, and who may use a group may use them too.",
        *((code(group), f": now also {', '.join(names)}") for group, names in gained.items()),
        "Not wanted? Name the commands one by one in the policy.",
        version=version,
    )


def group_shrank(
    here: Here, version: str, group: str, command: str, who: Sequence[tuple[str, str]]
) -> Message:
    """The first start of a new version, in which a group of the policy has lost a command. who:
    (person, role that named the group) of those who cannot use it any more."""
    roles = dict.fromkeys(role for _, role in who)
    lines = codes(f"- {{role: {role}, do: {command}}}" for role in roles)
    names = listed([person(name) for name, _ in who[:8]], "and")
    more = f" and {len(who) - 8} more" if len(who) > 8 else ""
    reads = " It reads every message on this server that is not encrypted."
    why = reads if COMMANDS[command].reads_messages else ""
    return _group_shrank(here, version, group, command, (*names, f"{more}.{why}"), lines)


@says("""❗ Sluice {version}: `{group}` no longer allows `{command}`.
Can no longer use it: {who}
Wanted all the same? Add to allow: {lines}""")
def _group_shrank(
    here: Here, version: str, group: str, command: str, who: Text, lines: Text
) -> None: ...


# --- a policy with errors -----------------------------------------------------------------------


def _problems(problems: Sequence[Problem]) -> list[Text]:
    return [line("Line {n}: {what}", n=n, what=marked(what)) for n, what in problems]


def _others(problems: Sequence[Problem]) -> str:
    """Where the errors are that follow the first one."""
    return ", ".join(f"line {n}" for n, _ in problems[1:6])


def safe_mode(here: Here, problems: Sequence[Problem], *, file: bool) -> Message:
    """problems: at least one. file: the policy is a policy_file."""
    more = len(problems) - 1
    others = f"{count(more, 'more error')}: {_others(problems)}. " if more else ""
    fix: Text = ("Correct the text in maubot and save; I go on by myself.",)
    if file:
        fix = line("Correct the file, then: `!reload`", here)
    return _safe_mode(here, _problems(problems)[0], (others, *fix))


@says("""❗ Safe mode: the policy has an error, so every command is refused.
{first}
{remedy}""")
def _safe_mode(here: Here, first: Text, remedy: Text) -> None: ...


def refused_in_safe_mode(problems: Sequence[Problem]) -> Message:
    n, what = problems[0]
    return not_run("Not run: safe mode. Policy line {n}: {what}", n=n, what=marked(what))


def outdated(here: Here, problems: Sequence[Problem]) -> Message:
    """The first start of a version that would not take the text that is live."""
    return say(
        Sign.NEWS,
        "This version wants {n:count line} of the policy written differently. Until then nothing "
        "stops.",
        *_problems(problems[:8]),
        *(["All of them: `!status`"] if len(problems) > 8 else []),
        "I read them in the stricter way. The next text you save must have them corrected.",
        here=here,
        push=here.owners,
        text=bool(here.owners),
        n=len(problems),
    )


def policy_rejected(here: Here, problems: Sequence[Problem], *, tests: int = 0) -> Message:
    """An invalid policy was saved. tests: how many of the problems are failing inline tests."""
    n, what = problems[0]
    more = len(problems) - 1
    test = tests == len(problems)
    others = line(
        "{n:count more test fails/more tests fail}: {where}."
        if test
        else "{n:count more error}: {where}.",
        n=more,
        where=_others(problems),
    )
    kind = "a test fails" if test else "an error"
    return _policy_rejected(here, n, kind, marked(what), others if more else ())


@says("""❗ Policy rejected, the old one stays. Line {n}: {kind}.
{what}
{others}""")
def _policy_rejected(here: Here, n: int, kind: str, what: Text, others: Text) -> None: ...


# --- a new policy -------------------------------------------------------------------------------


def safe_mode_over(
    here: Here, change: Change | None, roles: Sequence[Role], requests: Text = ()
) -> tuple[Message, ...]:
    """change: against the last valid text, None if there was none; whoever wants to change rights
    unseen goes through safe mode."""
    over = "The policy is valid, safe mode is over."
    if change is None:
        return (news((over,), roles_line(roles)),)
    if not change.lines:
        push = here.owners
        same = "It says what the last valid one said."
        return (say(Sign.NEWS, (over,), (same,), roles_line(roles), push=push, text=bool(push)),)
    against: Text = (f"Compared with the last valid one: {change.head}.",)
    change = evolve(change, lines=(against, *change.lines), loosens=change.loosens + 1)
    return _whole(Sign.NEWS, here, over, change, [roles_line(roles)], requests)


def reloaded(here: Here, change: Change, requests: Text = ()) -> tuple[Message, ...]:
    """A new text, in one message, or in several if what it loosens needs more. requests: what
    became of open requests."""
    if not change.lines:
        return (news("Policy read: nothing changed, it says what it said.", requests),)
    return _whole(Sign.ALARM, here, f"New policy: {change.head}.", change, [], requests)


_WIDE = 6_000  # characters of one message, about


def _whole(
    sign: Sign, here: Here, head: str, change: Change, tail: Sequence[Text], requests: Text
) -> tuple[Message, ...]:
    """What loosens stands first and is never cut; of the rest there is what still fits."""
    look = line("Owners: if none of you did this, `!pause` now. Look: `!log reload`", here)
    last: list[Text] = [*tail, *([requests] if requests else []), look]
    stricter = change.lines[change.loosens :]
    most = MAX_LINES - 2  # the head takes up to two
    pages = _pages(change.lines[: change.loosens], most)
    if len(pages[-1]) + bool(stricter) + len(last) > most:
        pages.append([])
    free = most - len(last) - len(pages[-1])
    kept = _pages(stricter[: free if len(stricter) <= free else free - 1], most)[0]
    if left := len(stricter) - len(kept):
        log = line("of what only tightens: `!log export`", here)
        kept = [*kept, line("and {n:count more line} {log}", n=left, log=log)]
    pages[-1] += [*kept, *last]
    return tuple(
        say(
            sign,
            (f"The new policy, part {n} of {len(pages)}:" if n > 1 else head,),
            *rows,
            push=here.owners if n == 1 else (),
            text=n == 1 or sign is Sign.ALARM,
        )
        for n, rows in enumerate(pages, 1)
    )


def _pages(lines: Sequence[Text], most: int) -> list[list[Text]]:
    """So many lines a page, and fewer if they are long."""
    pages: list[list[Text]] = [[]]
    for each in lines:
        wide = sum(len(plain(row)) for row in (*pages[-1], each)) > _WIDE
        if pages[-1] and (wide or len(pages[-1]) >= most):
            pages.append([])
        pages[-1].append(each)
    return pages
