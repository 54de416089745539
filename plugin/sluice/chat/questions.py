"""❓ One thing is missing or unclear, or must be confirmed by a tap; nothing has run yet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from attrs import evolve

from ..model.command import Invocation, Manner, Typed
from ..text.message import Code, Message, Text, code, one_line, quote
from ..text.phrases import Here, a, ask, line, listed
from ..text.saying import says
from ..typed.canonical import canonical

_SHOWN = 3  # values that are named in a question

KEYS = ("1️⃣", "2️⃣", "3️⃣", "4️⃣", "5️⃣")
"""The buttons of a choice, in order."""


def _choices(offers: Iterable[Code]) -> Text:
    """`1️⃣ for !users or 2️⃣ for !rooms`."""
    pairs = zip(KEYS, offers, strict=False)
    return listed([(f"{key} for ", offer) for key, offer in pairs], "or")


def near_command(here: Here, typed: str, lines: Sequence[str], *, tap: bool) -> Message:
    """lines: the command lines that may have been meant.

    tap: each of them only reads, can be undone or leads to a card; else the message is edited.
    """
    if not tap:
        names = dict.fromkeys(each.split()[0] for each in lines[:3])
        meant = listed([code(name) for name in names], between=" or ")
        then = line("Did you mean {meant}? Correct your message by editing it.", meant=meant)
    else:
        then = ("Tap ", *_choices(here.cmd(each) for each in lines))
    return ask("No command {typed}. {then}", typed=quote(typed, 30), then=then)


def shown(invocation: Invocation, server: str) -> str:
    """A command line as short as it can be asked about: of many accounts how many they are."""
    many = max((len(invocation.values(name)) for name, _ in invocation.args), default=0)
    line = canonical(invocation, server)
    line = f"{line.split()[0]} ({many} of them)" if many > _SHOWN else line
    return f"{line} reason {one_line(invocation.reason, 40)}" if invocation.reason else line


_ASKED: Mapping[Manner, str] = {
    Manner.SAID: "it does not begin with `!`",
    Manner.SHOWN: "it stands in a quote or in code",
    Manner.CAPTION: "it stands below a file",
}


def was_it_meant(here: Here, command: str, manner: Manner) -> Message:
    """A command that may be something else."""
    return _was_it_meant(here, command, line(_ASKED[manner], here))


@says("""❓ Run `!{command}`? Tap ✅. Nothing has run yet.
I ask because {why}.""")
def _was_it_meant(here: Here, command: str, why: Text) -> None: ...


@says("❓ Did you mean `!{name}`? Then write it as a message of its own, all of it.")
def type_it(here: Here, name: str) -> None:
    """What a tap cannot run."""


@says("❓ Nothing has run. Commands begin with `!`, so send: `!{line}`")
def without_prefix(here: Here, line: str) -> None:
    """Words below a message of ours that begin like a command."""


def one_open(here: Here, question: Text, command: str) -> Text:
    """Which request, where only one is open."""
    return line("{question} One is open: `!{command}`", here, question=question, command=command)


@says("❓ {undo}")
def undone_by(undo: Text) -> None:
    """Somebody wants to take back what a message of ours is about."""


def run_edited(here: Here, typed: Typed, *, secret: bool) -> Message:
    """Chat that became a command by an edit. secret: behind its first name there may stand a
    password, which is not repeated."""
    rest = " ".join(typed.words[:1]) if secret else typed.rest
    more = len(typed.words) > 1 or typed.lines if secret else typed.lines
    return _run_edited(
        here, one_line(f"{typed.word} {rest}", 60), " and what follows" if more else ""
    )


@says("""❓ Run `!{line}`{more}? Tap ✅. Nothing has run yet.
It was no command before you edited it.""")
def _run_edited(here: Here, line: str, more: str) -> None: ...


@says("⛔ Not run: {name} cannot be undone, so no tap runs it. Type what you mean, all of it.")
def no_tap(name: str) -> None:
    """What needs no votes, and would be read from a message, or from a list that is in doubt."""


@says("""⛔ Not run: whom you mean stands in a message that is not mine. Type it yourself:
`!{line}`""")
def type_whom(here: Here, line: str) -> None:
    """The account was read from what somebody else wrote, and a tap would run it."""


def near_account(here: Here, typed: str, mxids: Sequence[str], *, tap: bool) -> Message:
    """tap: the command only reads; else the message is edited."""
    then: Text = ("Tap ", *_choices(map(code, mxids)))
    if not tap:
        meant = listed([here.short(mxid) for mxid in mxids[:5]], "or")
        then = line("Did you mean {meant}? Edit your message.", meant=meant)
    return ask("No account {typed}. {then}", typed=quote(typed, 40), then=then)


def why(*, votes: bool) -> Message:
    """The policy wants a reason. votes: somebody will read it before it runs."""
    return _why("the approver sees it" if votes else "it stands in the log")


@says("❓ Why? Reply to this message; {who}.")
def _why(who: str) -> None: ...


@says("""❓ `{mxid}` is deactivated. Open it again?
A new password makes it usable again, with its old rooms. Tap ✅; otherwise nothing runs.""")
def open_again(mxid: str) -> None: ...


@says("""❓ `{name}` is a name {sign}. Make it? Tap ✅. Nothing has run yet.
A name is for ever. If it is a slip, edit your message.""")
def odd_name(name: str, sign: str) -> None:
    """A legal name that is seldom meant. sign: "that ends in “-”"."""


@says("""❓ Is that a name, and no password? Then tap ✅ and it is made. Nothing has run yet.
A password is never typed here, Conduit makes it. Was it one? Delete your message.""")
def may_be_password() -> None:
    """A name with capitals and digits in it, which is not repeated."""


@says("⛔ Not run: nobody answered for 5 minutes. Send the command again.")
def nothing_came() -> None:
    """What a question becomes then."""


def no_answer(question: Message, wants: str) -> Message:
    """The question once more, to words that cannot answer it. wants: name, reason …; "" for a
    tap."""
    why = line(
        "That does not look like {wants}. If it is, send the whole command.", wants=a(wants)
    )
    why = why if wants else line("Tap, or reply yes or no.")
    return evolve(question, lines=(*question.lines, why))


def offered(wants: str, words: str) -> Message:
    """Words that may be the answer, as nobody said so. words: "" where they are not repeated."""
    return _offered(wants.capitalize(), words) if words else _unseen(wants)


@says("❓ Was that the {wants}? Tap ✅. Nothing has run yet.")
def _unseen(wants: str) -> None: ...


@says("❓ {wants} {words:quote}? Tap ✅. Nothing has run yet.")
def _offered(wants: str, words: str) -> None: ...


@says("⛔ Not run: the command was deleted, or is none any more.")
def gone() -> None:
    """What a question becomes when the command goes."""


@says("""⛔ Not run: you said no.
If that was the answer, send the whole command again.""")
def called_off() -> None:
    """The asker said no to it."""


@says("⛔ Not run: your edit took the command back.")
def taken_back() -> None:
    """It is none any more."""


def a_command(what: str, word: str) -> Message:
    """A whole command came where a name or a reason was asked for. what: name, reason …"""
    return _a_command(what, (quote(word, 30),))


@says("""⛔ Not run: {word} is a command, so I take it for no {what}. Nothing ran.
Send again what you mean, all of it in one message.""")
def _a_command(what: str, word: Text) -> None: ...


def again(number: int, seconds: float, *, ended: bool) -> Message:
    """The same command, by the same person, a moment ago."""
    return _again(number, "did that" if ended else "is about that, asked for", max(seconds, 1))


@says("❓ #{number} {did} {ago:span} ago. Again? Tap ✅; otherwise nothing more runs.")
def _again(number: int, did: str, ago: float) -> None: ...


@says("""❓ Fewer than {accounts:,} accounts and {rooms:,} rooms here? Then tap ✅.
A longer list would stop Conduit's admin commands until it is restarted.""")
def size_of_server(accounts: int, rooms: int) -> None:
    """To an owner, before the first list. accounts, rooms: how many surely fit into one answer."""


def list_may_be_large(here: Here, what: str, octets: float, at: float) -> Message:
    return _list_may_be_large(here, what, f"{octets / 1000:.0f} kB", at)


@says("""❓ The list of {what} was {size} on {at:dated}. Ask for it? Tap ✅.
It may have grown; above 65 kB it stops Conduit's admin commands until it is restarted.""")
def _list_may_be_large(here: Here, what: str, size: str, at: float) -> None: ...


def attacker_sized(command: str) -> Message:
    """relay.attacker_sized: ask. Once a day for all that look at files, once for events."""
    return _event_of_any_size() if command == "event" else _name_of_any_size()


@says("""❓ Look at an event? Tap ✅ (I ask once a day).
If it is huge, this stops Conduit's admin commands until it is restarted.""")
def _event_of_any_size() -> None: ...


@says("""❓ Look at files? Tap ✅ (I ask once a day).
If somebody gave a file a huge name, this stops Conduit's admin commands until it is restarted.""")
def _name_of_any_size() -> None: ...


@says("""❓ `!{command}` of {who:person} got no answer at {at:at}.
Its answer may have stopped Conduit's admin commands, and may do so again. Try again? Tap ✅.""")
def may_stop_again(here: Here, command: str, who: str, at: float) -> None:
    """A command that got no answer the last time, and whose answer can stop Conduit."""
