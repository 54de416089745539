"""What Sluice says by itself of its start, its policy, its log and its connection to Conduit."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ..catalog.commands import COMMANDS
from ..message import Message, Text, code
from .clock import span
from .words import (
    Here,
    Line,
    Word,
    alarm,
    codes,
    count,
    listed,
    marked,
    news,
    not_run,
    people,
    person,
)

CANNOT_LOG = (
    "I cannot write my log (disk full), and without it I send nothing. Owners, make space."
)

Role = tuple[str, tuple[str, ...], float]
"""A role as it is read out: name, members (persons, MXIDs, `@*:server`), least room power."""


def roles_line(roles: Sequence[Role]) -> Text:
    """`Owners: ana, dan. Mods: bo, cy. Helpers: accounts of …`, the highest role first."""
    parts: list[Word] = []
    for name, members, power in roles:
        words = [
            f"accounts of {member[3:]}" if member.startswith("@*:") else person(member)
            for member in members
        ] or ["nobody"]
        plural = name if name.endswith("s") else f"{name}s"
        with_power = f" with power {power:g} or more here" if power else ""
        parts += [f"{plural[:1].upper()}{plural[1:]}: ", *listed(words), f"{with_power}. "]
    return (*parts[:-1], str(parts[-1]).rstrip()) if parts else ("Nobody has a role yet.",)


def numbered(lines: Sequence[Text]) -> list[Text]:
    return [(f"{n}. ", *line) for n, line in enumerate(lines, 1)]


# --- start and policy ---------------------------------------------------------------------------


def ready(
    here: Here,
    version: str,
    conduit: str,
    roles: Sequence[Role],
    *,
    encrypted: bool,
    remove_after: float,
    problems: Sequence[Text] = (),
) -> Message:
    """The first start. conduit: `Conduit 0.10.12`."""
    if problems:
        n = count(len(problems), "problem")
        return alarm(here.owners, f"Sluice is ready, with {n}.", *numbered(problems))
    how = "private encrypted messages" if encrypted else "private messages"
    return news(
        f"Sluice {version} is ready. {conduit} on {here.server} answers.",
        roles_line(roles),
        f"Passwords go out as {how} and are removed after {span(remove_after)}.",
        ("Commands: ", here.cmd("help"), " · Health: ", here.cmd("status")),
    )


def groups_grew(here: Here, version: str, gained: Mapping[str, Sequence[str]]) -> Message:
    """The first start of a new version, which has new commands. gained: by group of the policy."""
    return alarm(
        here.owners,
        f"Sluice {version} has new commands, and who may use a group may use them too.",
        *((code(group), f": now also {', '.join(names)}") for group, names in gained.items()),
        "Not wanted? Name the commands one by one in the policy.",
    )


def group_shrank(
    here: Here, version: str, group: str, command: str, who: Sequence[tuple[str, str]]
) -> Message:
    """The first start of a new version, in which a group of the policy has lost a command. who:
    (person, role that named the group) of those who cannot use it any more."""
    more = f" and {len(who) - 8} more" if len(who) > 8 else ""
    lines = [f"- {{role: {role}, do: {command}}}" for role in dict.fromkeys(r for _, r in who)]
    reads = COMMANDS[command].reads_messages
    why = " It reads every message on this server that is not encrypted." if reads else ""
    return alarm(
        here.owners,
        (f"Sluice {version}: ", code(group), " no longer allows ", code(command), "."),
        ("Can no longer use it: ", *people([name for name, _ in who[:8]], "and"), f"{more}.{why}"),
        ("Wanted all the same? Add to allow: ", *codes(lines)),
    )


def safe_mode(here: Here, problems: Sequence[tuple[int, str]], *, file: bool) -> Message:
    """problems: (line, what is wrong there), at least one. file: the policy is a policy_file."""
    (line, what), *others = problems
    where = ", ".join(f"line {n}" for n, _ in others[:5])
    more = f"{count(len(others), 'more error')}: {where}. " if others else ""
    fix: Text = (f"{more}Correct the text in maubot and save; I go on by myself.",)
    if file:
        fix = (f"{more}Correct the file, then: ", here.cmd("reload"))
    return alarm(
        here.owners,
        "Safe mode: the policy has an error, so every command is refused.",
        (f"Line {line}: ", *marked(what)),
        fix,
    )


def refused_in_safe_mode(problems: Sequence[tuple[int, str]]) -> Message:
    line, what = problems[0]
    return not_run((f"Not run: safe mode. Policy line {line}: ", *marked(what)))


def safe_mode_over(roles: Sequence[Role]) -> Message:
    return news("The policy is valid, safe mode is over.", roles_line(roles))


def reloaded(
    here: Here, head: str, changes: Sequence[Line], unchanged: Text, requests: Text = ()
) -> Message:
    """New rights. head: `bo lost 2 commands, cy gained 1`; empty when nobody's rights changed.

    changes: one line for each person or command; unchanged: names and roles with the same rights;
    requests: what became of open requests.
    """
    since = f"New policy live since {here.clock.at(here.clock.now)}: "
    if not head and not changes:
        return news(f"{since}nobody gained or lost anything.", *([requests] if requests else []))
    shown = list(changes[:7])
    if len(changes) > len(shown):
        shown.append((f"and {count(len(changes) - len(shown), 'more change')}",))
    return alarm(
        here.owners,
        f"{since}{head or 'the rules changed'}.",
        *shown,
        *([("Unchanged: ", *unchanged)] if unchanged else []),
        *([requests] if requests else []),
        ("Not you, owners? ", here.cmd("pause"), ", then ", here.cmd("log reload")),
    )


def policy_rejected(here: Here, problems: Sequence[tuple[int, str]], *, tests: int = 0) -> Message:
    """An invalid policy was saved. tests: how many of the problems are failing inline tests."""
    (line, what), *others = problems
    test = tests == len(problems)
    first = f"Line {line}: " + ("a test fails." if test else "an error.")
    where = ", ".join(f"line {n}" for n, _ in others[:5])
    noun = ("more test fails", "more tests fail") if test else ("more error", "more errors")
    more = [f"{count(len(others), *noun)}: {where}."] if others else []
    head = f"New policy not taken, the old one stays live. {first}"
    return alarm(here.owners, head, marked(what), *more)


def unreadable_room(here: Here) -> Message:
    return alarm(
        here.owners,
        "This room is encrypted and I cannot read it: commands typed here do nothing.",
        "Set up encryption for the bot in maubot, or use an ops room without encryption.",
    )


def unknown_version(here: Here, conduit: str) -> Message:
    reads = listed([here.cmd(c) for c in ("users", "rooms", "registration", "config")])
    return alarm(
        here.owners,
        f"{conduit} is unknown to me: only commands that read work until Sluice is updated.",
        ("Still fine: ", *reads, ". Everything that changes something is refused."),
    )


def upgraded(here: Here) -> Message:
    return alarm(
        here.owners,
        "This room was upgraded; I stay here.",
        ("If the new room is right, an owner puts its id into ", code("ops_rooms"), "."),
    )


def seal(entries: int, head: str) -> Message:
    return news(f"Log seal after {count(entries, 'entry', 'entries')}:", (code(head),))


def log_broken(here: Here, entry: int) -> Message:
    return alarm(
        here.owners,
        f"My log is not what I wrote: entry {entry:,} was changed or is missing.",
        "Somebody had the database. Compare with the seals posted here, then look at who had it.",
    )


def cannot_log(here: Here) -> Message:
    return alarm(here.owners, CANNOT_LOG)


def own_error(here: Here, error: str, event_id: str) -> Message:
    """An exception in a pure step, told once. error: the class only, never its text. event_id: ""
    where it may not be named."""
    which: Text = ("Event ", code(event_id), "; please") if event_id else ("Please",)
    return alarm(
        here.owners,
        ("I could not handle a message here, an error of mine: ", code(error), "."),
        ("Nothing ran because of it. ", *which, " report it."),
    )


def relay_error(here: Here, error: str, request: int, line: str, *, reads: bool) -> Message:
    """An exception on the way to Conduit or back. request: whose line was out; 0 if none was."""
    told: Text = ("An error of mine: ", code(error), ", please report it.")
    if not request:
        return alarm(here.owners, "I cannot send what stands in line.", told)
    head = f"#{request} {'failed' if reads else 'outcome unknown'}: "
    done, failed = (here.cmd(f"resolve {request} {how}") for how in ("done", "failed"))
    look: list[Text] = [] if reads else [("Look whether it is done: ", done, " or ", failed)]
    return alarm(here.owners, (head, code(line[:300]), "."), told, *look)


# --- Conduit and the homeserver -----------------------------------------------------------------


def silent(here: Here, since: float, unknown: Sequence[tuple[int, str, str]] = ()) -> Message:
    """No answer, no echo. unknown: (request, command line, person) of what was running."""
    parts: list[Word] = []
    for request, line, who in unknown:
        parts += [f"#{request} (" if not parts else f", #{request} (", code(line), ", "]
        parts += [person(who), ")"]
    tail: Text = (" Outcome unknown: ", *parts, ".") if parts else ()
    return alarm(
        here.owners,
        f"Conduit has not answered admin commands since {here.clock.at(since)}: "
        "it is busy, or stuck.",
        "If nothing slow is running there, restart Conduit. Chats go on, only commands wait.",
        ("I try every minute and say when it is back.", *tail),
    )


def address_gone(here: Here) -> Message:
    address = code(f"#admins:{here.server}")
    return alarm(
        here.owners,
        ("Conduit's admin room has lost its address ", address, ": commands are not answered."),
        ("Only the server's owner can repair this: ", here.cmd("help repair")),
    )


def answers_again(here: Here, since: float, at: float, waiting: int = 0) -> Message:
    """waiting: requests that were in line before it fell silent, and run now."""
    after = span(at - since)
    kept: Text = ("Nothing was kept: send again what you still need.",)
    if waiting:
        those = f"{count(waiting, 'request')} in line when it fell silent, in turn now: "
        kept = (those, here.cmd("pending"), ". What I refused since was not kept: send it again.")
    return news(f"Conduit answers again since {here.clock.at(at)}, after {after}.", kept)


def homeserver_back(here: Here, start: float, end: float, max_age: float) -> Message:
    return news(
        f"The homeserver was away from {here.clock.between(start, end)}. "
        "Open requests and votes are all here.",
        f"A command typed meanwhile that is older than {span(max_age)} is not run; "
        "I answer it below.",
    )


def history_replaced(here: Here, start: float, end: float, unknown: Sequence[int] = ()) -> Message:
    ids = ", ".join(f"#{n}" for n in unknown)
    return alarm(
        here.owners,
        "The homeserver was restored or replaced: "
        f"I did not read {here.clock.between(start, end)}.",
        (
            f"Outcome unknown: {ids}. " if ids else "",
            "Votes and edits of that time may be missing; look: ",
            here.cmd("pending"),
        ),
    )


def back(here: Here, start: float, end: float, missed: int) -> Message | None:
    """After a time without the bot; None when it was short and nothing was missed."""
    if not missed and end - start < 60:
        return None
    head = f"Sluice is back, it was away from {here.clock.between(start, end)}."
    if missed == 1:
        head += " 1 command was not run, see my reply."
    elif missed:
        head += f" {missed} commands were not run, see my replies."
    return news(head)


def emergency(here: Here) -> Message:
    return alarm(
        here.owners,
        "Conduit's emergency password is set.",
        "Whoever knows it can write as Conduit. "
        "Take it out of its config file when the emergency is over.",
    )


def emergency_over() -> Message:
    return news("Conduit's emergency password is no longer set; everything runs again.")


def inside() -> Message:
    """The bot was removed from the admin room, and let in again."""
    return news("I am in Conduit's admin room again; everything runs again.")


# --- what may be wrong, as a list ----------------------------------------------------------------

PROBLEMS = {
    "log_broken": "My log is not what I wrote: somebody changed the database. Find out who.",
    "safe_mode": "The policy has an error in line {0}: every command is refused. Correct it.",
    "silent": "Conduit has not answered since {0}: restart it if nothing slow is running there.",
    "not_in_admin_room": "I am not in the admin room: nothing can run. Invite {0} there.",
    "address_gone": "{0} leads nowhere: commands are not answered. Repair: {help repair}",
    "address_elsewhere": "{0} leads to another room: commands are not answered. "
    "Repair: {help repair}",
    "emergency": "Conduit's emergency password is set. Take it out of its config file.",
    "remote_member": "{0} is in the admin room: another server can read passwords there. "
    "Remove it.",
    "not_owner": "{0} is in the admin room but no owner: it can do everything there. Remove it.",
    "no_scrub": "My power in the admin room is {0}: I cannot remove passwords. Give me 50.",
    "public": "This room is public: anyone can read along. Make it invite-only.",
    "world_readable": "This room's history is open to the world. Set it to members only.",
    "upgraded": "This room was upgraded; I stay here. An owner puts the new id into ops_rooms.",
    "no_crypto": "This room is encrypted and I cannot read it. "
    "Set up encryption for the bot in maubot.",
    "autojoin": "maubot's autojoin is on: anyone can pull me into a room. Switch it off.",
    "unknown_version": "{0} is unknown to me: only commands that read work. Update Sluice.",
    "no_account": "{0} is in the policy and has no account: whoever gets that name gets its "
    "rights.",
    "one_owner": "There is one owner only: nobody can review a break-glass. Name a second one.",
}
"""What can be wrong, the worst first, each with its remedy."""


def drifted(here: Here, problems: Sequence[Text]) -> Message:
    """What is wrong since a short time ago, each with its remedy."""
    if len(problems) == 1:
        return alarm(here.owners, problems[0])
    head = f"{len(problems)} things are wrong that were not:"
    return alarm(here.owners, head, *numbered(problems[:9]), ("All: ", here.cmd("status")))


_AT_START = {
    "no_scrub": "My power in the admin room is {0}: passwords stay readable there. Give me 50.",
    "public": "This room is public. Make it invite-only.",
}


def problem(here: Here, kind: str, about: str = "", *, start: bool = False) -> Text:
    """One problem in words. about: the id, version, time or number it is about."""
    words = (_AT_START if start else {}).get(kind) or PROBLEMS[kind]
    holes: dict[str, Word] = {
        "{0}": code(about) if about[:1] in ("@", "#", "!") else about,
        "{help repair}": here.cmd("help repair"),
    }
    parts = re.split(r"(\{[^}]*\})", words)
    return tuple(holes.get(part, part) for part in parts if part)
