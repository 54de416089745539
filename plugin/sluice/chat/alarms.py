"""What Sluice says by itself of its start, its policy, its log and its connection to Conduit."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from attrs import evolve, frozen

from ..catalog.table import COMMANDS
from ..difference import Change
from ..text.message import MAX_LINES, Message, Sign, Text, code, plain
from ..text.phrases import (
    Here,
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
    say,
)
from ..text.times import span


def why_no_log(*, full: bool) -> str:
    """The sentence for a database that cannot be written. full: for want of space."""
    why, then = ("disk full", "make space") if full else ("the database fails", "look at it")
    return f"I cannot write my log ({why}), and without it I send nothing. Owners, {then}."


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


def outdated(here: Here, problems: Sequence[tuple[int, str]]) -> Message:
    """The first start of a version that would not take the text that is live."""
    n = count(len(problems), "line")
    lines: list[Text] = [(f"Line {line}: ", *marked(what)) for line, what in problems[:8]]
    if len(problems) > len(lines):
        lines.append(("All of them: ", here.cmd("status")))
    return say(
        Sign.NEWS,
        f"This version wants {n} of the policy written differently. Until then nothing stops.",
        *lines,
        "I read them in the stricter way. The next text you save must have them corrected.",
        push=here.owners,
        text=bool(here.owners),
    )


def refused_in_safe_mode(problems: Sequence[tuple[int, str]]) -> Message:
    line, what = problems[0]
    return not_run((f"Not run: safe mode. Policy line {line}: ", *marked(what)))


def safe_mode_over(
    here: Here, change: Change | None, roles: Sequence[Role], requests: Text = ()
) -> tuple[Message, ...]:
    """change: against the last valid text, None if there was none; whoever wants to change rights
    unseen goes through safe mode."""
    over = "The policy is valid, safe mode is over."
    if change is None or not change.lines:
        same: list[Text] = [] if change is None else [("It says what the last valid one said.",)]
        push = () if change is None else here.owners
        return (say(Sign.NEWS, over, *same, roles_line(roles), push=push, text=bool(push)),)
    against: Text = (f"Compared with the last valid one: {change.head}.",)
    change = evolve(change, lines=(against, *change.lines), loosens=change.loosens + 1)
    return _whole(Sign.NEWS, here, over, change, [roles_line(roles)], requests)


def reloaded(here: Here, change: Change, requests: Text = ()) -> tuple[Message, ...]:
    """A new text, in one message, or in several if what it loosens needs more. requests: what
    became of open requests."""
    since = f"New policy live since {here.clock.at(here.clock.now)}: "
    if not change.lines:
        said = f"{since}nobody gained or lost anything."
        return (news(said, *([requests] if requests else [])),)
    same: list[Text] = [("Unchanged: ", *change.unchanged)] if change.unchanged else []
    return _whole(Sign.ALARM, here, f"{since}{change.head}.", change, same, requests)


_WIDE = 6_000  # characters of one message, about


def _whole(
    sign: Sign, here: Here, head: str, change: Change, tail: Sequence[Text], requests: Text
) -> tuple[Message, ...]:
    """What loosens stands first and is never cut; of the rest there is what still fits."""
    look = ("Not you, owners? ", here.cmd("pause"), ", then ", here.cmd("log reload"))
    last: list[Text] = [*tail, *([requests] if requests else []), look]
    stricter = change.lines[change.loosens :]
    most = MAX_LINES - 2  # the head takes up to two
    pages = _pages(change.lines[: change.loosens], most)
    if len(pages[-1]) + bool(stricter) + len(last) > most:
        pages.append([])
    free = most - len(last) - len(pages[-1])
    kept = _pages(stricter[: free if len(stricter) <= free else free - 1], most)[0]
    if left := len(stricter) - len(kept):
        more = count(left, "more line")
        kept = [*kept, (f"and {more} of what only tightens: ", here.cmd("log export"))]
    pages[-1] += [*kept, *last]
    return tuple(
        say(
            sign,
            f"The new policy, part {n} of {len(pages)}:" if n > 1 else head,
            *rows,
            push=here.owners if n == 1 else (),
            text=n == 1 or sign is Sign.ALARM,
        )
        for n, rows in enumerate(pages, 1)
    )


def _pages(lines: Sequence[Text], most: int) -> list[list[Text]]:
    """So many lines a page, and fewer if they are long."""
    pages: list[list[Text]] = [[]]
    for line in lines:
        wide = sum(len(plain(each)) for each in (*pages[-1], line)) > _WIDE
        if pages[-1] and (wide or len(pages[-1]) >= most):
            pages.append([])
        pages[-1].append(line)
    return pages


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


def named_made(here: Here, mxid: str, trusted_by: Sequence[str]) -> Message:
    """An account that the policy named before there was one. trusted_by: owners who can."""
    who = here.local(mxid)
    if trusted_by:
        remedy: Text = (*people(trusted_by), ", if it is who you mean: ", here.cmd(f"trust {who}"))
    else:
        remedy = ("No owner is left to trust it: save the policy without it, then with it again",)
    return alarm(
        here.owners,
        (code(mxid), " was just made, and the policy names it: it has no rights yet."),
        "Whoever was first has that name now. It gets its role and vote when an owner trusts it.",
        (*remedy, ". Else take it out of the policy."),
    )


def unreadable_room(here: Here) -> Message:
    return alarm(
        here.owners,
        "This room is encrypted and I cannot read it: commands typed here do nothing.",
        "Set up encryption for the bot in maubot, or use an ops room without encryption.",
    )


def held_back(here: Here) -> Message:
    """Said first, once the bot can speak again in a room."""
    return news(f"Since {here.clock.at(here.clock.now)} I could not write here. Held back:")


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


def cannot_log(here: Here, *, full: bool = True) -> Message:
    return alarm(here.owners, why_no_log(full=full))


_ERROR_AGAIN = 6 * 3600  # seconds after which an error of the same class is told again


def error_key(error: str, now: float) -> str:
    """What the outbox calls the message of an error that may come with every event: one in six
    hours. A key is used once and for ever, so it has the time in it."""
    return f"error.{error}.{int(now // _ERROR_AGAIN)}"


def own_error(here: Here, error: str, event_id: str) -> Message:
    """An exception in a pure step, told once. error: the class only, never its text. event_id: ""
    where it may not be named."""
    which: Text = ("Event ", code(event_id), "; please") if event_id else ("Please",)
    return alarm(
        here.owners,
        ("I could not handle a message here, an error of mine: ", code(error), "."),
        ("Nothing ran because of it. ", *which, " report it."),
    )


def stopped(here: Here, does: str, error: str) -> Message:
    """A loop ended with a bug. does: what it is for. error: the class only, never its text."""
    return alarm(
        here.owners,
        f"The part of me that {does} stopped on an error and was started again.",
        ("An error of mine: ", code(error), ", please report it; maubot's log has the rest."),
        "If it goes on I say so again in six hours. Restarting the plugin may help.",
    )


def relay_error(here: Here, error: str, request: int, line: str, *, reads: bool) -> Message:
    """An exception on the way to Conduit or back. request: whose line was out."""
    told: Text = ("An error of mine: ", code(error), ", please report it.")
    head = f"#{request} {'failed' if reads else 'outcome unknown'}: "
    done, failed = (here.cmd(f"resolve {request} {how}") for how in ("done", "failed"))
    look: list[Text] = [] if reads else [("Look whether it is done: ", done, " or ", failed)]
    return alarm(here.owners, (head, code(line[:300]), "."), told, *look)


def cannot_begin(here: Here, error: str, request: int, line: str) -> Message:
    """An exception before a line was sent: nothing more of this request is."""
    return alarm(
        here.owners,
        (
            f"I stopped #{request} by an error of mine, nothing more of it is sent: ",
            code(line[:300]),
        ),
        ("The error: ", code(error), ", please report it. What stands behind it goes on."),
    )


# --- Conduit and the homeserver -----------------------------------------------------------------


Running = Sequence["tuple[int, str, str]"]
"""(request, command line, person) of what was running."""


def _running(each: Running) -> Text:
    """`#12 (`deactivate @spam`, bo), #14 (…)`"""
    parts = [(f"#{n} (", code(line), ", ", person(who), ")") for n, line, who in each]
    return tuple(word for part in parts for word in (", ", *part))[1:]


def silent(here: Here, since: float, unknown: Running = (), lists: Running = ()) -> Message:
    """No answer, no echo. lists: those whose answers may have been too long."""
    why: Text = (
        *_running(lists),
        " was running: its answer may have been too long. Only an owner can run it again.",
    )
    tail: Text = (" Outcome unknown: ", *_running(unknown), ".") if unknown else ()
    return alarm(
        here.owners,
        f"Conduit has not answered admin commands since {here.clock.at(since)}: "
        "it is busy, or stuck.",
        "If nothing slow is running there, restart Conduit. Chats go on, only commands wait.",
        *([why] if lists else []),
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


def removed(here: Here, room: str, by: str | None) -> Message:
    """Out of an ops room; said in another one. by: a name, None where nobody knows."""
    head: Text = ("I am not in the ops room ", code(room), " any more")
    if by is not None:
        head = (person(by), " removed me from the ops room ", code(room))
    return alarm(
        here.owners,
        (*head, ": nothing typed there runs."),
        ("If that is wrong, invite ", code(here.bot), " there again."),
    )


def let_in_again(here: Here, since: float, by: str | None) -> Message:
    """In the ops room itself. by: who had removed me, None where nobody knows."""
    who: Text = (", ", person(by), " had removed me") if by is not None else ()
    return alarm(
        here.owners,
        (
            f"I am in this room again, I was out from {here.clock.between(since, here.clock.now)}",
            *who,
            ".",
        ),
        "I read now what was said meanwhile, but the server may hide some of it from me.",
        "A vote or ❌ of that time that its card does not show: tap it again.",
    )


# --- the bot's account ---------------------------------------------------------------------------


def somebody_else(here: Here, where: Text, *, before: bool) -> Message:
    """An event of our account that we did not write. before: while the bot was not running."""
    when = "while I was not running" if before else f"at {here.clock.at(here.clock.now)}"
    return alarm(
        here.owners,
        ("Somebody else uses my account: ", *where, f" {when}, and that was not me."),
        "Paused by myself: only commands that read run now. I do not show what was written; look "
        "in that room.",
        "Either a second Sluice runs on this account: stop it. Or somebody has its token: change "
        "the account's password with all its devices signed out, and give maubot a new token.",
        ("When that is done: ", here.cmd("resume")),
    )


def restored(here: Here, since: float, number: int, cards: int) -> Message:
    """Messages of ours that the database does not know. number: that the next request gets."""
    gone = f"{count(cards, 'open card')} of that time is marked as gone. " if cards == 1 else ""
    if cards > 1:
        gone = f"{count(cards, 'open card')} of that time are marked as gone. "
    return alarm(
        here.owners,
        f"My database was restored from a backup: I do not know what I did after "
        f"{here.clock.dated(since)}.",
        "Requests and votes of that time are gone, and so are their entries in my log. (Or a "
        "second Sluice used my account while this one was stopped.)",
        f"{gone}What is still needed is asked again; new requests begin with #{number}.",
    )


def gone_with_restore() -> Message:
    """Instead of a card that the database does not know any more."""
    return not_run("Gone: my database was restored from an older backup. Ask again.")


# --- what may be wrong, as a list ----------------------------------------------------------------


@frozen
class ProblemText:
    """words: what is wrong, with its remedy. start: the same in the first message, if shorter.

    alarm: it has an alarm of its own at the moment it begins; else `drifted` tells it.
    Holes: `{0}` what it is about, `{1}`, `{2}` … what else the trouble says, and any other a
    command, in which `%0` is what it is about: `{log %0}`.
    """

    words: str
    start: str = ""
    alarm: bool = False


PROBLEMS = {
    "storage": ProblemText(
        "I cannot write my log ({0}): nothing can run. Make it work again.", alarm=True
    ),
    "foreign": ProblemText(
        "Somebody else uses my account, since {0}: only commands that read run. "
        "Stop a second Sluice, or change the account's password. Then: {resume}",
        alarm=True,
    ),
    "log_broken": ProblemText(
        "My log is not what I wrote: somebody changed the database. Find out who.", alarm=True
    ),
    "safe_mode": ProblemText(
        "The policy has an error in line {0}: every command is refused. Correct it.", alarm=True
    ),
    "silent": ProblemText(
        "Conduit has not answered since {0}: restart it if nothing slow is running there.",
        alarm=True,
    ),
    "no_answer": ProblemText(
        "Conduit answers nothing since {0}: it is busy, or stuck. I say so when I know.",
        alarm=True,
    ),
    "not_in_admin_room": ProblemText(
        "I am not in the admin room: nothing can run. Invite {0} there."
    ),
    "not_in_ops_room": ProblemText(
        "I am not in the ops room {0}: nothing typed there runs. Invite me there."
    ),
    "unread_room": ProblemText(
        "I cannot read the ops room {0}: nothing typed there runs. Look into the homeserver's log."
    ),
    "address_gone": ProblemText(
        "{0} leads nowhere: commands are not answered. Repair: {help repair}", alarm=True
    ),
    "address_elsewhere": ProblemText(
        "{0} leads to another room: commands are not answered. Repair: {help repair}"
    ),
    "mute": ProblemText(
        "I cannot write in this room, so nothing typed there runs. My power is {0}, “Send "
        "messages” needs {1}: change it in the room's settings, Roles & Permissions."
    ),
    "refused": ProblemText(
        "I cannot write in this room, so nothing typed there runs. The server says {0}: look "
        "whether I am a member there, and into its log."
    ),
    "odd_crypto": ProblemText(
        "I cannot write in this room, so nothing typed there runs. It is encrypted with {0}, "
        "which I do not know: use another room as ops room."
    ),
    "emptied": ProblemText(
        "Somebody erased this room's encryption setting; I go on encrypting. Switch encryption "
        "on again in the room's settings, Security & Privacy."
    ),
    "emergency": ProblemText(
        "Conduit's emergency password is set. Take it out of its config file.", alarm=True
    ),
    "registration_late": ProblemText(
        "Registration should be off since {0}, and Conduit has not confirmed it. "
        "Sure way: restart Conduit.",
        alarm=True,
    ),
    "registration_open": ProblemText(
        "Registration is on, without an end: anybody can make an account. "
        "Close it: {registration off}"
    ),
    "clocks": ProblemText(
        "My clock and the server's differ by {1}: commands may be refused as too old. "
        "Set both right."
    ),
    "unknown": ProblemText(
        "#{0} {1}: nobody knows whether it ran. Look, then: {resolve %0 done} or "
        "{resolve %0 failed}",
        alarm=True,
    ),
    "unknown_more": ProblemText("{0} more have an unknown outcome. See them: {log}", alarm=True),
    "stopper": ProblemText(
        "{1} of {2} got no answer at {3}, and may have stopped Conduit: only an owner can run it "
        "again.",
        alarm=True,
    ),
    "remote_member": ProblemText(
        "{0} is in the admin room: another server can read passwords there. Remove it."
    ),
    "not_owner": ProblemText(
        "{0} is in the admin room but no owner: it can do everything there. Remove it."
    ),
    "no_scrub": ProblemText(
        "My power in the admin room is {0}: I cannot remove passwords. Give me 50.",
        start="My power in the admin room is {0}: passwords stay readable there. Give me 50.",
    ),
    "public": ProblemText(
        "This room is public: anyone can read along. Make it invite-only.",
        start="This room is public. Make it invite-only.",
    ),
    "world_readable": ProblemText(
        "This room's history is open to the world. Set it to members only."
    ),
    "upgraded": ProblemText(
        "This room was upgraded; I stay here. An owner puts the new id into ops_rooms.",
        alarm=True,
    ),
    "no_crypto": ProblemText(
        "This room is encrypted and I cannot read it. Set up encryption for the bot in maubot.",
        alarm=True,
    ),
    "no_react": ProblemText(
        "I cannot react in this room, so what I ask has no buttons. My power is {0}, “Send "
        "reactions” needs {1}: change it in the room's settings, Roles & Permissions."
    ),
    "no_unreact": ProblemText(
        "I cannot remove my reactions in this room, so buttons stay. My power is {0}, “Remove "
        "messages sent by me” needs {1}: change it in the room's settings."
    ),
    "no_tap": ProblemText(
        "Not everybody can tap ✅ in this room: {0}. “Send reactions” needs {1}. "
        "Change it in the room's settings, or vote with {approve 12}."
    ),
    "no_untap": ProblemText(
        "Not everybody can take a tap back in this room: {0}. “Remove messages sent by me” needs "
        "{1}. Change it in the room's settings."
    ),
    "no_sync": ProblemText(
        "maubot's own connection has been down since {0}: keys of encrypted rooms do not come, "
        "and I answer late. Look at the token in maubot, then restart the instance."
    ),
    "new_device": ProblemText(
        "I am signed in as a new device, {1}: in encrypted rooms I cannot read what was said "
        "before, and people may have to verify me again. Not you? Change my password."
    ),
    "autojoin": ProblemText(
        "maubot's autojoin is on: anyone can pull me into a room. Switch it off."
    ),
    "unknown_version": ProblemText(
        "{0} is unknown to me: only commands that read work. Update Sluice.", alarm=True
    ),
    "no_account": ProblemText(
        "{0} is in the policy and has no account. Once it is made, an owner must trust it."
    ),
    "outdated": ProblemText(
        "Policy line {0}. The next text must have it corrected; I read the stricter way.",
        alarm=True,
    ),
    "one_owner": ProblemText(
        "There is one owner only: nobody can review a break-glass. Name a second one."
    ),
}
"""What can be wrong, the worst first. Each has a row here and is found by a source of `Drift`."""


def drifted(here: Here, problems: Sequence[Text]) -> Message:
    """What is wrong since a short time ago, each with its remedy."""
    if len(problems) == 1:
        return alarm(here.owners, problems[0])
    head = f"{len(problems)} things are wrong that were not:"
    return alarm(here.owners, head, *numbered(problems[:9]), ("All: ", here.cmd("status")))


def problem(here: Here, kind: str, about: str = "", *more: Word, start: bool = False) -> Text:
    """One problem in words. about, more: what fills its holes."""
    row = PROBLEMS[kind]
    holes: dict[str, Text] = {f"{{{n}}}": (word,) for n, word in enumerate(more, 1)}
    holes["{0}"] = (code(about),) if about[:1] in ("@", "#", "!") else marked(about)
    said: list[Word] = []
    for part in re.split(r"(\{[^}]*\})", (start and row.start) or row.words):
        if part[:1] == "{" and part not in holes:
            said.append(here.cmd(part[1:-1].replace("%0", about)))
        elif part:
            said += holes.get(part, (part,))
    return tuple(said)
