"""What is said around the handing over of a password: in the private room and about it.

Only `handover` and `unread_answer` see one; their messages go straight to the sender, never
through the outbox, and a Message does not show its lines when it is printed.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..model.secret import Secret
from ..text.message import Message, Sign, Text, code, one_line
from ..text.phrases import Here, codes, not_run, person, say
from ..text.times import over


def handover(user: str, password: Secret, *, new: bool, welcome: str) -> Message:
    """The password itself, an m.notice: it never reaches a lock screen, and can be forwarded.

    welcome: the owner's words for a new account, `{user}` in them is its MXID.
    """
    lines: list[Text] = [
        ("New account " if new else "New password for ", code(user)),
        ("Password: ", code(password.reveal())),
    ]
    if new:
        rows = [row.strip() for row in welcome.splitlines() if row.strip()]
        lines += [_welcome(row, user) for row in rows[:9]]
    return say(Sign.SECRET, *lines)


def _welcome(row: str, user: str) -> Text:
    before, hole, after = row.partition("{user}")
    return tuple(s for s in (before, code(user), after) if s != "") if hole else (row,)


def handed_over(
    here: Here, who: str, mxid: str, users: Sequence[str], until: float | None
) -> Message:
    """The line after it, an m.text: this one pushes. until: None = counted from the join on."""
    time = f" until {here.clock.at(until)}" if until is not None else ""
    if len(users) == 1:
        line: Text = (person(who), ", the password of ", code(users[0]), f" is above{time}.")
        line = (*line, " Tap ✅ there when you have it.")
    else:
        line = (person(who), f", {len(users)} passwords are above{time}.")
        line = (*line, " Tap ✅ on each when you have it.")
    return say(Sign.SECRET, line, push=(mxid,), text=True)


def removed(here: Here, users: Sequence[str], *, tapped: bool, after: float) -> Message:
    """The edit of that line when the last of its passwords is gone. after: seconds it stood."""
    why = "you tapped ✅" if tapped else f"the {over(after)}"
    one = len(users) == 1
    head: Text = ("The password of ", code(users[0]), f" is removed, {why}.")
    if not one:
        head = (f"All {len(users)} passwords are removed, {why}.",)
    again = here.cmd(f"resetpw {here.local(users[0])}")
    return say(
        Sign.SECRET,
        head,
        ("A new one: " if one else "A new one, say: ", again, " in the ops room."),
    )


def unread_answer(request: int, line: str, answer: Secret) -> Message:
    """An answer that may hold a password and that nobody understands: to who asked, in private."""
    head = (f"Conduit's answer to #{request}, ", code(line), ", which I do not understand:")
    return say(Sign.SECRET, head, (code(one_line(answer.reveal(), 500)),))


def wrong_room() -> Message:
    return not_run("Not run: commands work in the ops room only.")


def never_joined(here: Here, who: str, mxid: str, users: Sequence[str]) -> Message:
    one = len(users) == 1
    head: Text = (person(who), " did not join in time: the password")
    head = (
        *head,
        " of " if one else "s of ",
        *codes(users),
        " is" if one else " are",
        " removed.",
    )
    again = here.cmd(f"resetpw {here.local(users[0])}")
    return not_run(head, ("A new one: " if one else "A new one, say: ", again), to=mxid)


def not_safe(mxid: str, why: str, other: str | None = None) -> Message:
    """Refused before it runs. why: `remote`, `members` or `failed`; other: an account to use."""
    if why == "remote":
        cause: Text = (code(mxid), " is on another server.")
        switch: Text = ("Send it from ", code(other), ", or set") if other else ("Set",)
        return not_run(
            ("Not run: I cannot hand you a password safely, ", *cause),
            (*switch, " up encryption for the bot."),
        )
    if why == "members":
        return not_run(
            "Not run: I cannot hand you a password safely, our private room has other members.",
            "Leave that room, then send the command again: I make a new one.",
        )
    return not_run(
        "Not run: I cannot hand you a password safely, no private room could be made.",
        "Try again in a minute; if it stays so, owners find the cause in maubot's log.",
    )
