"""What is said around the handing over of a password: in the private room and about it.

Only `handover` and `unread_answer` see one; their messages go straight to the sender, never
through the outbox, and a Message does not show its lines when it is printed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum

from ..model.secret import Secret
from ..text.message import Message, Sign, Text, code, one_line
from ..text.phrases import Here, line, listed, not_run, say
from ..text.runs import in_runs
from ..text.saying import says
from ..text.times import span

_NAMED = 3  # names, or runs of names, in a first line


def handover(user: str, password: Secret, *, new: bool, welcome: str) -> Message:
    """The password itself, an m.notice: it never reaches a lock screen, and can be forwarded.

    welcome: the owner's words for a new account; `{user}` in them is its MXID, `{name}` and
    `{server}` are the parts of it.
    """
    lines: list[Text] = [
        ("New account " if new else "New password for ", code(user)),
        ("Password: ", code(password.reveal())),
    ]
    if new:
        rows = [row.strip() for row in welcome.splitlines() if row.strip()]
        lines += [_welcome(row, user) for row in rows[:9]]
    return say(Sign.SECRET, *lines)


_HOLE = re.compile(r"\{(user|name|server)\}")


def _welcome(row: str, user: str) -> Text:
    name, _, server = user[1:].partition(":")
    known = {"user": user, "name": name, "server": server}
    parts = enumerate(_HOLE.split(row))  # words and names of holes, in turn
    return tuple(code(known[part]) if n % 2 else part for n, part in parts if part)


def handed_over(
    here: Here, who: str, mxid: str, users: Sequence[str], until: float | None, after: float
) -> Message:
    """The line below all of them, an m.text: this one pushes, and its ✅ removes them.

    until: when they go; None: `after` seconds from the join on.
    """
    gone = line("{after:span} after you joined", after=after)
    if until is not None:
        left = until - here.clock.now
        gone = line("in {left:span} ({until:at})", here, left=left, until=until)
    return say(
        Sign.SECRET,
        "{who:person}, the password of {user:short} is above."
        if len(users) == 1
        else "{who:person}, {n} passwords are above: {which}",
        "Tap ✅ here when you have {n:it/all of them}. {n:It is/They are} removed {gone}.",
        here=here,
        push=(mxid,),
        text=True,
        who=who,
        user=users[0],
        n=len(users),
        which=_which(here, users),
        gone=gone,
    )


def _which(here: Here, users: Sequence[str]) -> Text:
    """Runs of numbered names first; of many others only the first."""
    runs, others = in_runs([here.local(user) for user in users])
    every = [here.short(each) for each in (*runs, *others)]
    return (*listed(every[:_NAMED]), " and more" if len(every) > _NAMED else "")


class Gone(Enum):
    """Why a password is taken away."""

    TAPPED = "tapped"
    TIME = "time"
    NEVER = "never joined"
    NEWER = "newer"


def reason(gone: Gone, who: str, after: float) -> str:
    """What clients show in the place of a password. after: seconds it stood at most."""
    stood = span(after)
    return {
        Gone.TAPPED: f"taken by {who}",
        Gone.TIME: f"{stood} {'is' if stood.startswith('1 ') else 'are'} over",
        Gone.NEVER: f"{who} did not join in time",
        Gone.NEWER: "a newer one was set",
    }[gone]


_REMOVED = {
    Gone.TAPPED: "you tapped ✅.",
    Gone.NEVER: "you did not join in time.",
    Gone.NEWER: "a newer one was set.",
}


def removed(here: Here, users: Sequence[str], gone: Gone, after: float) -> Message:
    """The edit of that line when the last of its passwords is gone. after: seconds it stood."""
    return say(
        Sign.SECRET,
        "Password of {user:short} removed: {why}"
        if len(users) == 1
        else "All {n} passwords removed: {why}",
        "It no longer works: do not pass it on."
        if gone is Gone.NEWER
        else "{again} in the ops room.",
        here=here,
        user=users[0],
        n=len(users),
        why=_REMOVED.get(gone) or line("the {after:over}.", after=after),
        again=_again(here, users),
    )


def _again(here: Here, users: Sequence[str]) -> Text:
    return line(
        "{users:A new one/A new one, say}: `!resetpw {user:local}`",
        here,
        users=users,
        user=users[0],
    )


def unread_answer(request: int, words: str, answer: Secret) -> Message:
    """An answer that may hold a password and that nobody understands: to who asked, in private."""
    return say(
        Sign.SECRET,
        "Conduit's answer to #{request}, `{words}`, which I do not understand:",
        (code(one_line(answer.reveal(), 500)),),
        request=request,
        words=words,
    )


@says("⛔ Not run: commands work in the ops room only.")
def wrong_room() -> None: ...


def never_joined(here: Here, who: str, mxid: str, users: Sequence[str]) -> Message:
    return not_run(
        "{who:person} did not join in time: no {users:password/passwords} for {accounts}",
        _again(here, users),
        "No invitation there? Look whether you ignore or block `{bot}`.",
        to=mxid,
        who=who,
        users=users,
        accounts=listed([here.short(user) for user in users]),
        bot=here.bot,
    )


def not_safe(mxid: str, why: str, other: str | None = None) -> Message:
    """Refused before it runs. why: of CannotDeliver; other: an account to use."""
    if why != "remote":
        return {"members": _others_in_room, "blocked": _blocked}.get(why, _no_room)()
    switch = line("Send it from `{other}`, or set", other=other) if other else ("Set",)
    return _elsewhere(mxid, switch)


@says("""⛔ Not run: I cannot hand you a password safely, `{mxid}` is on another server.
{switch} up encryption for the bot.""")
def _elsewhere(mxid: str, switch: Text) -> None: ...


@says("""⛔ Not run: I cannot hand you a password safely, our private room has other members.
Leave that room, then send the command again: I make a new one.""")
def _others_in_room() -> None: ...


@says("""⛔ Not run: I cannot hand you a password, your account takes no invitation from me.
Allow invitations, or mine, in your app's settings. Then send the command again.""")
def _blocked() -> None: ...


@says("""⛔ Not run: I cannot hand you a password safely, no private room could be made.
Try again in a minute; if it stays so, owners find the cause in maubot's log.""")
def _no_room() -> None: ...
