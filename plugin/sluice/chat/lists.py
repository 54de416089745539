"""What Conduit's lists look like to people: accounts, rooms, settings, caches, an event.

Each takes what `families.answers` read from the answer and gives the first page, and what is left
of it for `more`. to: who is pushed because it took long.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from attrs import evolve, frozen

from ..catalog.server import at_next_start
from ..families.answers import config_in, event_in, memory_in, the_event
from ..text.message import Code, Message, Text, Topic, code, one_line, plain, quote
from ..text.pages import IN_BLOCK, Pages, following, go_on, rows_of
from ..text.phrases import (
    Here,
    Line,
    count,
    dotted,
    listed,
    not_run,
    person,
    plural,
    short,
    view,
)
from ..text.times import span
from ..typed.parse import MAX_ENTRIES
from ..typed.search import Search, of_accounts, of_rooms
from ..typed.values import MAX_ID
from .notices import Window
from .refusals import search

NOBODY: Mapping[str, str] = {}
View = tuple[Message, "Pages | None"]
_USERS, _ROWS, _EARLIER = 40, 10, 3  # on one page
_FEW = 2  # rooms that are told in full
_FITS = 72  # characters of a list that needs no line of its own


def first_page(
    here: Here, pages: Pages, *below: Line, to: str | None, also: Sequence[Text] = ()
) -> View:
    """The first page. also: further commands beside `more`; below: notes under the list."""
    head, rows = rows_of(pages)
    left = following(pages)
    hints = [go_on(here, left), *also] if left else list(also)
    return view(head, *rows, dotted(hints), *below, to=to), left


def paged(
    head: Text, rows: tuple[Text, ...], per: int, *, block: bool = False, inline: bool = False
) -> Pages:
    """A list; what of it is shown is said where that is not all."""
    pages = Pages((*head, ":"), rows, per, block=block, inline=inline)
    return evolve(pages, head=(*head, ", {}:")) if following(pages) else pages


def all_about(shown: View, topic: Topic) -> View:
    """The same, with what the whole list is about."""
    message, left = shown
    return evolve(message, about=topic), left and evolve(left, about=topic)


# --- accounts -----------------------------------------------------------------------------------


def users(
    here: Here,
    mxids: Sequence[str],
    pattern: str | None,
    to: str | None = None,
    roles: Mapping[str, str] = NOBODY,
) -> View:
    """Accounts by their short name, sorted; those with `pattern` in it. roles: who has which."""
    held = {here.local(mxid): role for mxid, role in roles.items()}
    by_name = {here.local(mxid): mxid for mxid in mxids}
    names = sorted(by_name)
    total = count(len(names), "account")

    def row(name: str) -> Text:
        return (code(one_line(name)), *((f" ({held[name]})",) if name in held else ()))

    note = "Not listed: deactivated ones, and those without a password (bridges)."
    if pattern is None:
        rows = tuple(row(name) for name in names)
        also = [("Search: ", here.cmd("users spam")), ("File: ", here.cmd("users --file"))]
        pages = paged((total,), rows, _USERS, inline=True)
        shown = first_page(here, pages, note, to=to, also=also if following(pages) else ())
        return all_about(shown, _all_of(by_name.values()))
    search = of_accounts(pattern, here.server) or Search(pattern, "")
    found = [name for name in names if search.fits(name)]
    n, none = len(found), "None" if not found else f"{len(found):,}"
    have: Text = (plural(n or 1, " has ", " have "), quote(search.word, 40), " in the name")
    if not search.plain:
        have = (plural(n or 1, " matches ", " match "), quote(pattern, 40))
    start: Text = (f"{none} of {total}", *have)
    if not found:
        return view((*start, "."), note, to=to), None
    rows, about = tuple(row(name) for name in found), _all_of(by_name[name] for name in found)
    alone: Text = (*start, ": ", *listed(rows))
    if len(plain(alone)) <= _FITS:
        return all_about((view(alone, to=to), None), about)
    return all_about(first_page(here, paged(start, rows, _USERS, inline=True), to=to), about)


def _all_of(mxids: Iterable[str]) -> Topic:
    """What a list of accounts is about; one more than fit into a request."""
    return Topic(accounts=tuple(mxids)[: MAX_ENTRIES + 1])


def users_file(here: Here, mxids: Sequence[str], pattern: str | None) -> tuple[Message, str]:
    """`users --file`: the caption, and the text with one MXID a line."""
    search = of_accounts(pattern, here.server) if pattern else Search("", "*")
    found = [m for m in sorted(mxids) if search and search.fits(here.local(m))]
    which: Text = (" with ", quote(pattern, 40), " in the name") if pattern else ()
    caption: Text = (count(len(found), "account"), *which, ", one a line.")
    said = evolve(view(caption), about=_all_of(found))
    return said, "".join(f"{one_line(mxid, 255)}\n" for mxid in found)


@frozen
class Profile:
    """What was found of an account.

    status: active, deactivated, …; "" where there is none, then `why` says more of its name. name:
    None unknown, "" none. close: accounts that may have been meant, if there is none.
    """

    mxid: str
    status: str
    name: str | None = None
    why: str = ""
    close: Sequence[str] = ()


def who(
    here: Here,
    found: Profile,
    role: str,
    *,
    joined: Sequence[Text] = (),
    earlier: Sequence[Text] = (),
    ways: Sequence[Text] = (),
) -> View:
    """joined: ops rooms that it is in. earlier: requests about it, the newest first. ways: what
    whoever asks may do next."""
    about = Topic(accounts=(found.mxid,))
    pages = Pages(("Earlier, {}:",), tuple(earlier), _EARLIER)
    left, lines = following(pages), [_found(here, found, role)]
    lines += [("In ", *listed(joined, "and"), ".")] if joined else []
    lines += rows_of(pages)[1]
    if found.status and not earlier:
        lines.append(("Nothing was asked about it before.",))
    lines += [go_on(here, left)] if left else []
    lines += [("You can: ", *dotted(ways))] if ways else []
    later = left and evolve(left, per=_ROWS)
    return all_about((view(*lines), later), about)


def _found(here: Here, found: Profile, role: str) -> Text:
    """`@spam: active, name “Spam King”, no role.`, or that there is none and who may be meant."""
    if not found.status:
        names = listed([code(here.local(each)) for each in found.close], "or")
        look: Text = (" ", *search(here, found.mxid))
        more = (" Did you mean ", *names, "?") if found.close else found.why or look
        return ("No account ", here.short(found.mxid, MAX_ID), ".", *more)
    called: Text = (", name ", quote(found.name)) if found.name else ()
    if not found.name and found.status in ("active", "deactivated"):
        called = (", name not known",) if found.name is None else (", without a name",)
    return (code(found.mxid), f": {found.status}", *called, f", {role or 'no role'}.")


# --- rooms --------------------------------------------------------------------------------------


@frozen
class RoomRow:
    """name, alias: None where they could not be looked up."""

    room: str
    members: int
    name: str | None = None
    alias: str | None = None

    def matches(self, search: Search) -> bool:
        ids = (self.room, self.alias or "")
        names = (each[1:].partition(":")[0] for each in ids)
        return any(map(search.fits, (*names, self.name or "")))


def rooms(
    here: Here,
    all_: Sequence[RoomRow],
    pattern: str | None,
    to: str | None = None,
    inside: str = "",
) -> View:
    """inside: the room in which it is shown."""
    nameless = sum(not (row.name or row.alias or row.room == inside) for row in all_)
    of = count(nameless, "room")
    note = f"{of} {plural(nameless, 'has', 'have')} no name that I can see (private)."
    below: list[Line] = [note] if nameless else []
    total = count(len(all_), "room")
    search = None if pattern is None else of_rooms(pattern, here.server)
    found = [row for row in all_ if search is None or row.matches(search)]
    found.sort(key=lambda row: (-row.members, row.room))
    head: Text = (total,)
    if pattern is not None:
        word = quote(pattern, 40)
        if not found:
            return view((f"None of {total} matches ", word, "."), *below, to=to), None
        match = "matches" if len(found) == 1 else "match"
        head = (f"{len(found):,} of {total} {match} ", word)
    about = Topic(rooms=tuple(row.room for row in found[:MAX_ENTRIES]))
    head = (*head, ", most members first")
    if len(found) <= _FEW:
        whole = tuple(_whole_room(row, inside) for row in found)
        return all_about(first_page(here, paged(head, whole, _ROWS), *below, to=to), about)
    rows = tuple(_room(here, row, inside) for row in found)
    ids = (word.text for row in rows for word in row if isinstance(word, Code) and not word.quoted)
    cut = next((text for text in ids if "…" in text), "")
    also: list[Text] = [] if pattern else [("Search: ", here.cmd("rooms garden"))]
    also = [("Whole id: ", here.cmd(f"rooms {cut}"))] if cut else also
    pages = paged(head, rows, _ROWS, block=True)
    return all_about(first_page(here, pages, *below, to=to, also=also), about)


def _room(here: Here, row: RoomRow, inside: str) -> Text:
    """`310 #garden “Garden club”`: how many members it has, and how one can find or type it."""
    start = f"{row.members:,} "
    if row.room == inside:
        return (f"{start}this room",)
    left = IN_BLOCK - len(start)
    room = short(row.room, "", 16 if row.name else left)
    typed = here.short(row.alias, MAX_ID) if row.alias else room
    left = max(left - len(typed.text) - 3, 12)
    return (start, typed, *((" ", quote(row.name, left)) if row.name else ()))


def _whole_room(row: RoomRow, inside: str) -> Text:
    """`“Garden club”, 310 members: #garden:example.org, !gGd:example.org`."""
    name: Text = (quote(row.name, 60), ", ") if row.name else ()
    name = ("this room, ",) if row.room == inside else name
    alias: Text = (code(row.alias), ", ") if row.alias else ()
    return (*name, f"{count(row.members, 'member')}: ", *alias, code(row.room))


def federation(here: Here, rows: Sequence[tuple[str, str, int]], to: str | None = None) -> View:
    """rows: (room, event, seconds since it came)."""
    if not rows:
        return view("Nothing from other servers is being handled right now.", to=to), None
    head = f"{count(len(rows), 'event')} from other servers being handled, the longest first:"
    lines = tuple(
        (f"{span(seconds)}: ", code(event), " in ", code(room))
        for room, event, seconds in sorted(rows, key=lambda row: -row[2])
    )
    return first_page(here, Pages((head,), lines, _ROWS), to=to)


def appservices(here: Here, ids: Sequence[str], to: str | None = None) -> View:
    if not ids:
        return view("No appservices are registered.", to=to), None
    rows = tuple((code(one_line(each)),) for each in ids)
    total = count(len(ids), "appservice")
    return first_page(here, paged((total,), rows, _USERS, inline=True), to=to)


# --- the server ---------------------------------------------------------------------------------


def registration(
    here: Here,
    on: bool,
    until: float | None = None,
    by: str = "",
    request: int = 0,
    config: bool | None = None,
) -> Message:
    """by, request: who opened it here, if it was opened here. config: as in `at_next_start`."""
    later = at_next_start(config, on and until is None)
    if not on:
        return view("Registration is off.", *later)
    who_: Text = (" (", person(by), f", #{request})") if by else ()
    if until is None:
        return view(("Registration is on until somebody switches it off", *who_, "."), *later)
    return view((f"Registration is on until {here.clock.at(until)}", *who_, "."), *later)


def config(here: Here, version: str, body: str, window: Window, to: str | None = None) -> View:
    """window: registration as it is now, which the answer does not tell."""
    pairs = config_in(body)
    value = dict(pairs)
    now = "now: not known"
    if window is not None:
        now = "now: off" if window is False else "now: on"
        now = f"now: on until {here.clock.at(window)}" if isinstance(window, float) else now
    may = "allowed" if value.get("Allow room creation") == "true" else "not allowed"
    size = value.get("Maximum request size", "")
    upload = f"{int(size) / 1e6:.0f} MB" if size.isdigit() and len(size) < 16 else "not known"
    cache = value.get("Database cache capacity (MB)", "not known")
    rows = tuple((f"{label}: ", code(one_line(text) or "-")) for label, text in pairs)
    left = Pages((f"Conduit's settings, {{}} of {len(rows)}:",), rows, _ROWS)
    return (
        view(
            f"{here.server} runs {version} on {one_line(value.get('Database backend', '?'), 20)}.",
            f"Registration at start: {_on(value.get('Allow registration'))} ({now})",
            f"Federation {_on(value.get('Allow federation'))} · "
            f"encryption {_on(value.get('Allow encryption'))} · new rooms {may}",
            f"Largest upload {upload} · cache {one_line(cache, 20)} MB",
            (f"All {count(len(rows), 'line')}: ", here.cmd("more")),
            to=to,
        ),
        left,
    )


def _on(value: str | None) -> str:
    return {"true": "on", "false": "off"}.get(value or "", "not known")


_ENGINE = re.compile(r"^Approximate memory usage [^\n:]*: (\d+(?:\.\d+)?) MB$", re.M)


def memory(here: Here, body: str, to: str | None = None) -> View:
    pairs = memory_in(body)
    sizes = [float(found) for found in _ENGINE.findall(body)]
    told = (
        f"the database reports {sum(sizes):.0f} MB"
        if sizes
        else ("this database reports no sizes")
    )
    total = sum(n for _, n in pairs)
    largest = sorted(pairs, key=lambda pair: -pair[1])[:2]
    shown = ", ".join(f"{name} {n:,}" for name, n in largest)
    rows = tuple((f"{name}: {n:,}",) for name, n in pairs)
    return (
        view(
            f"Conduit's caches hold {count(total, 'entry', 'entries')}; {told}.",
            f"Largest: {shown}",
            (f"All {count(len(rows), 'line')}: ", here.cmd("more")),
            to=to,
        ),
        Pages((f"Conduit's caches, {{}} of {len(rows)}:",), rows, _ROWS),
    )


def conduit_help(here: Here, body: str, to: str | None = None) -> View:
    """Conduit's own help, line by line."""
    lines = [one_line(line, 200) for line in body.split("\n")]
    rows = tuple((Code(line),) for line in lines if line)
    return first_page(here, paged(("Conduit's own help",), rows, _ROWS), to=to)


def event(here: Here, body: str, to: str | None = None) -> View:
    """One event: who, when, where, what it says; all its lines by `more`."""
    accepted, text = event_in(body)
    whole = the_event(body)
    kind, sender, room = (str(whole.get(k) or "?") for k in ("type", "sender", "room_id"))
    sent = whole.get("origin_server_ts")
    when = f", {here.clock.dated(sent / 1000)}" if isinstance(sent, (int, float)) else ""
    content = whole.get("content")
    says = content.get("body") if isinstance(content, Mapping) else None
    rows = tuple((Code(one_line(line, 200)),) for line in text.split("\n") if line.strip())
    lines: list[Line] = [
        (code(one_line(kind)), " by ", code(one_line(sender, 255)), f"{when}."),
        ("Room: ", code(one_line(room, 255))),
    ]
    lines.append(
        ("It says: ", quote(says)) if isinstance(says, str) and says else "It has no text."
    )
    if not accepted:
        lines.append("This server keeps it only as a link between others, nobody sees it.")
    lines.append((f"All {count(len(rows), 'line')}: ", here.cmd("more")))
    return view(*lines, to=to), Pages((f"The event, lines {{}} of {len(rows)}:",), rows, _ROWS)


def not_shown(to: str | None = None) -> View:
    """An event of a sealed room, or of a room that nobody can tell."""
    return not_run(
        "Not shown: that event is of the admin room, or of a private room of mine.",
        "Nobody sees what is said there, whoever asks. Also so if its room cannot be told.",
        to=to,
    ), None
