"""Accounts: made, given new passwords, deactivated, listed."""

from __future__ import annotations

from attrs import evolve

from ..model.command import Invocation, Right, Type
from ..model.result import Handed
from ..text.message import Code, Text, code, link
from ..text.phrases import Here, Line, below, codes, count, line, people, person
from .params import ACCOUNT, ACCOUNT_LIST, flag, maybe
from .record import (
    DESTRUCTIVE,
    ELSEWHERE,
    READ,
    SECRET,
    Action,
    After,
    Before,
    Does,
    End,
    Group,
    Guessed,
    Many,
    OwnCommand,
    ReadOnly,
    Words,
    always,
    back_for_one,
    never,
)

# --- new passwords


def handed(end: End, what: str, many: bool = False) -> tuple[Text, tuple[Line, ...]]:
    """(the rest of the line, lines below) that say where the password is."""
    delivery, lines, server = end.ending.delivery, list[Line](), end.here.server
    are, them = ("are", "them") if many else ("is", "it")
    if delivery.how is Handed.INVITED:
        wait = "the passwords wait" if many else "the password waits"
        who, by = person(end.ending.person), end.here.clock.at(delivery.until)
        tail = line(" {who}, {wait} in our private room.", who=who, wait=wait)
        if delivery.room:
            lines.append((link(f"Join by {by} to get {them}", delivery.room, via=server),))
    elif delivery.room:
        tail = (f" {what} {are} in ", link("our private room", delivery.room, via=server))
    else:
        tail = (f" {what} {are} in your private messages.",)
    if delivery.seen_by:
        those = "They are the ones" if many else "It is the one"
        seen = line(
            "{those} Conduit showed in the admin room: {who} could see {them}. Change it soon.",
            those=those,
            who=codes(delivery.seen_by, "and"),
            them=them,
        )
        lines.append(seen)
    return tail, tuple(lines)


def new_password(here: Here, mxid: str) -> Code:
    """The command that gives an account a new one."""
    return here.cmd(f"{RESETPW.name} {here.local(mxid)}")


def _made(end: End) -> Words:
    user = end.first
    tail, lines = handed(end, "The password")
    typed = dict(end.invocation.noted).get(user)
    if typed is not None:
        small = line("Small letters: you typed `{typed}`.", typed=typed)
        lines = (*lines, small)
    clause = line("new account {user:short}", end.here, user=user)
    return Words(clause, _in_full(end, tail), lines)


def _in_full(end: End, tail: Text) -> Text:
    """The account in front, whole, where no card has shown it."""
    return tail if end.ending.voted else (" ", code(end.first), ". ", *below(tail))


def _reset(end: End) -> Words:
    user, ending = end.value("user"), end.ending
    if ending.reopened:
        tail, lines = handed(end, "The new password")
        votes = " (needs approval)" if ending.undo_needs_votes else ""
        local = end.here.local(user)
        back = line("Undo: `!deactivate {local}`{votes}", end.here, local=local, votes=votes)
        return Words((end.here.short(user), " is active again"), tail, lines, back)
    clause = line("new password for {user:short}", end.here, user=user)
    if ending.distrusted is not None:
        return Words(clause, (), (_distrusted(end, ending.distrusted),), ())
    tail, lines = handed(end, "It")
    if end.invocation.get("sign-out"):
        out = ("All its devices are signed out. Cannot be undone.",)
        return Words(clause, tail, lines, out)
    old = "The old one no longer works. Devices that are signed in stay signed in."
    return Words(clause, _in_full(end, tail), (*lines, old))


def _distrusted(end: End, until: float) -> Text:
    """The account is of somebody with rights: they have none for a while."""
    user, ending = end.value("user"), end.ending
    whom = line("{holder} (`{user}`)", holder=ending.holder, user=user)
    return line(
        "{whom} has no role and no vote until {until}. Sooner: {who}, `!trust {holder}`",
        end.here,
        whom=whom if ending.holder else code(user),
        until=end.here.clock.at(until),
        who=people(ending.trusts),
        holder=ending.holder or user,
    )


def back_if_reopened(asked: Invocation) -> Invocation:
    """What takes a new password back that opened a deactivated account again."""
    return Invocation(DEACTIVATE.name, asked.args[:1])


ADDUSER = Action(
    name="adduser", tags=SECRET, conduit="create-user", most=1,
    params=(evolve(ACCOUNT_LIST, most=20, question="Which name?", replied=False),),
    targets="user", counted=True,
    elsewhere=("I can make accounts of {here} only, not of {server}.",),
    offer=("names can be made", "Make"),
    summary="new account, the password comes to you in private",
    about="makes accounts; the passwords come to you in private",
    example="adduser alice", also=(", or several: ", "adduser mia noa tom"),
    overview=True, brief=("", "new account"),
    does=Does.MAKES_ACCOUNTS,
    before=Before.NAMES, after=After.ACCOUNT,
    then=always("who asked gets its password."),
    done=_made, told=Many("account", "made", "listed = made"),
    undo=back_for_one("deactivate"), note="the name stays taken",
    still="There is no account `{first}`",
    look="`!users {local}`",
)  # fmt: skip

RESETPW = Action(
    name="resetpw", tags=SECRET, conduit="reset-password", most=1,
    params=(ACCOUNT, flag("sign-out")), targets="user", counted=True, elsewhere=(ELSEWHERE,),
    summary="new password",
    about="gives an account a new password; it comes to you in private",
    example="resetpw alice",
    overview=True,
    does=Does.RESETS_PASSWORD,
    before=Before.PASSWORD,
    then=always("the old password stops working."),
    done=_reset,
    undo=never,
    look="",
)  # fmt: skip

# --- deactivated


def _then(asked: Invocation) -> str:
    leave, purge = asked.get("leave-rooms"), asked.get("purge-media")
    if not (leave or purge):
        return "locked out; rooms and files stay."
    files = "files deleted for good" if purge else "files stay"
    return f"locked out, {'told to leave its rooms' if leave else 'rooms stay'}, {files}."


def _after(asked: Invocation, many: bool) -> str:
    """What became of devices, rooms and files."""
    leave, purge = asked.get("leave-rooms"), asked.get("purge-media")
    its, it, stay = ("Their", "They", "stay") if many else ("Its", "It", "stays")
    files = f"{its.lower() if not leave else its} files {'are removed' if purge else 'stay'}."
    if leave:
        told = "Conduit does not say whether it left the rooms."
        return f"{its} devices are signed out. {told} {files}"
    return f"{its} devices are signed out. {it} {stay} in {its.lower()} rooms, {files}"


def _deactivated(end: End) -> Words:
    asked, lines = end.invocation, list[Line]()
    if not end.ending.voted or asked.get("leave-rooms"):  # else the card has said it
        after = _after(asked, many=False)
        lines.append((code(end.first), f": {after[0].lower()}{after[1:]}"))
    if failed := end.number("failed"):
        files = count(failed, "file")
        lines.append(f"{files} could not be removed; Conduit's own log says which.")
    note = "its files do not come back" if asked.get("purge-media") else ""
    clause = line("deactivated {user:short}", end.here, user=end.first)
    return Words(clause, (), tuple(lines), note=note)


_LEAVE, _PURGE = flag("leave-rooms"), flag("purge-media")

DEACTIVATE = Action(
    name="deactivate", tags=DESTRUCTIVE, conduit="deactivate-user", most=1,
    params=(ACCOUNT, _LEAVE, _PURGE), targets="user", counted=True,
    several="deactivateall",
    summary="signs the account out; nobody can sign in until resetpw",
    example="deactivate @spam:example.org reason casino links",
    overview=True, brief=("deactivate spam reason casino", ""),
    before=Before.ACCOUNTS, after=After.DEACTIVATED,
    then=_then,
    done=_deactivated,
    undo=back_for_one("resetpw"),
    still="`{first}` is still active",
    look="",
)  # fmt: skip

DEACTIVATEALL = Action(
    name="deactivateall", tags=DESTRUCTIVE, conduit="deactivate-all",
    params=(
        evolve(ACCOUNT_LIST, question="Which accounts?", answer="them, one a line"), _LEAVE,
        _PURGE,
   ),
    targets="user", offer=("accounts can be deactivated", "Ask for"),
    summary="signs out all accounts of a list, one a line",
    example="deactivateall reason spam wave",
    overview=True,
    before=Before.ACCOUNT_LIST, after=After.DEACTIVATED,
    then=_then,
    done=_deactivated,
    told=Many("account", "deactivated", always=True, after=lambda asked: _after(asked, many=True)),
    undo=back_for_one("resetpw"),
    look="",
)  # fmt: skip

# --- looked at

USERS = ReadOnly(
    name="users", tags=READ, conduit="list-local-users",
    params=(maybe("pattern", Type.WORD), flag("file")),
    summary="accounts with “spam” in the name",
    about="lists the accounts, or those with a word in the name",
    example="users spam",
    peek=True, start="line",
    before=Before.SIZE, sized=True, fits=2_000,
)  # fmt: skip

WHO = OwnCommand(
    name="who", tags=READ,
    params=(ACCOUNT,), elsewhere=None,
    summary="what is known of an account",
    example="who @spam:example.org",
    peek=True, start="line",
    right=Right.ROLE, asks=True, guessed=Guessed.RUNS,
)  # fmt: skip

GROUP = Group("Accounts", "accounts", (ADDUSER, RESETPW, DEACTIVATE, DEACTIVATEALL, USERS, WHO))
