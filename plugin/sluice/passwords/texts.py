"""What is said around the handing over of a password: in the private room and about it.

Only `handover` and `unread_answer` see one; their messages go straight to the sender, never
through the outbox, and a Message does not show its lines when it is printed.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from ..model.secret import Secret
from ..text.message import Message, Sign, Text, code, one_line
from ..text.phrases import Here, line, not_run, say
from ..text.saying import says
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
    time = line(" until {until:at}", here, until=until) if until is not None else ()
    return say(
        Sign.SECRET,
        "{who:person}, the password of `{user}` is above{time}. Tap ✅ there when you have it."
        if len(users) == 1
        else "{who:person}, {n} passwords are above{time}. Tap ✅ on each when you have it.",
        push=(mxid,),
        text=True,
        who=who,
        user=users[0],
        n=len(users),
        time=time,
    )


def _again(here: Here, users: Sequence[str]) -> Text:
    return line(
        "{users:A new one/A new one, say}: `!resetpw {user:local}`",
        here,
        users=users,
        user=users[0],
    )


class Gone(Enum):
    """Why a password is taken away, as it stands in what is left of its message."""

    TAPPED = "you tapped ✅"
    TIME = "the time is over"
    NEVER = "nobody joined in time"
    NEWER = "a newer one was set"


def removed(here: Here, users: Sequence[str], gone: Gone, after: float) -> Message:
    """The edit of that line when the last of its passwords is gone. after: seconds it stood."""
    is_over = gone in (Gone.TIME, Gone.NEVER)
    return say(
        Sign.SECRET,
        "The password of `{user}` is removed, {why}."
        if len(users) == 1
        else "All {n} passwords are removed, {why}.",
        "It no longer works: do not pass it on."
        if gone is Gone.NEWER
        else "{again} in the ops room.",
        user=users[0],
        n=len(users),
        why=f"the {over(after)}" if is_over else gone.value,
        again=_again(here, users),
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
        "{who:person} did not join in time: the {users:password/passwords} of {users:codes} "
        "{users:is/are} removed.",
        _again(here, users),
        "No invitation there? Look whether you ignore or block `{bot}`.",
        to=mxid,
        who=who,
        users=users,
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
