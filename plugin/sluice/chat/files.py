"""What is known of media: names, types and reasons in it were written by whoever uploaded it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timezone

from attrs import evolve

from ..families.answers import Blocked, MediaInfo, StoredFile
from ..text.message import Code, Message, Text, Topic, code, quote
from ..text.pages import IN_BLOCK, Pages, following, go_on, rows_of
from ..text.phrases import Here, Line, count, dotted, listed, size, view
from ..typed.parse import MAX_ENTRIES
from ..typed.values import MAX_ID
from .lists import View, all_about, first_page, paged

_PAGE = 4  # three lines each, on a phone


def when(text: str) -> float:
    """Epoch seconds of a time as Conduit's tables have it, UTC; also with a T in the middle."""
    try:
        found = datetime.strptime(text.replace("T", " "), "%Y-%m-%d %H:%M:%S")
        return found.replace(tzinfo=timezone.utc).timestamp()
    except ValueError:
        return 0.0


_TYPE = re.compile(r"[a-z]{1,20}/[a-z0-9.+-]{1,40}")


def media_type(text: str) -> str | Code:
    """A media type as it is if it looks like one; else it is foreign text."""
    return text if _TYPE.fullmatch(text) else quote(text, 40)


def media(
    here: Here, files: Sequence[StoredFile], asked: Text, *, of: str, to: str | None = None
) -> View:
    """Files of an account or a server, or all of them (of "").

    asked: what was asked for ("pictures of evil.example stored since …"), for an empty list.
    """
    files = sorted(files, key=lambda file: -file.size)
    if not files:
        return view(("No ", *asked, "."), to=to), None
    newest = here.clock.dated(max(when(file.created) for file in files))
    by = here.short(of, MAX_ID)
    whose: Text = ("Files of ", by) if of else ("Files here",)
    head: Text = (*whose, f": {len(files):,}, together {_total(files)}, newest {newest}.")
    kinds = Counter(file.type for file in files).most_common(4)
    types = [(media_type(kind), f" {n}") if kind else (f"no type {n}",) for kind, n in kinds]
    lines: list[Line] = [head, dotted(types)]
    if not of.startswith("@") and any(file.uploader for file in files):
        lines.append(("By: ", *_uploaders(here, files)))
    rows = tuple((*_file(here, file), "\n", code(file.mxc)) for file in files)
    pages = Pages((*whose, f", the largest first, {{}} of {len(files):,}:"), rows, 1)
    left = following(pages)
    left = left and evolve(left, per=_PAGE)
    lines += ["The largest:", *rows_of(pages)[1]]
    fewer = " ".join(f"media {by.text if of else ''} image since 7d".split())
    lines += [go_on(here, left)] if left else []
    lines.append(("Fewer: ", here.cmd(fewer)))
    about = Topic(files=tuple(file.mxc for file in files[: MAX_ENTRIES + 1]))
    return all_about((view(*lines, to=to), left), about)


def unreadable(to: str | None = None) -> View:
    """Both forms of Conduit's table must say the same; these did not."""
    return view("Conduit's list of files cannot be read: its two forms differ.", to=to), None


def _total(files: Iterable[StoredFile]) -> str:
    return size(sum(file.size for file in files))


def _uploaders(here: Here, files: Sequence[StoredFile]) -> Text:
    """Those with the most on this server; files from elsewhere name nobody."""
    by: dict[str, list[StoredFile]] = {}
    for file in files:
        if file.uploader:
            by.setdefault(file.uploader, []).append(file)
    ranked = sorted(by.items(), key=lambda pair: -sum(file.size for file in pair[1]))
    shown: list[Text] = [
        (here.short(who), f" {len(theirs):,}, {_total(theirs)}") for who, theirs in ranked[:3]
    ]
    return dotted([*shown, *([(f"{len(ranked) - 3} more",)] if len(ranked) > 3 else [])])


def _file(here: Here, file: StoredFile) -> Text:
    """`1.2 MB mp4 “holiday.mp4” 2 Nov`, in one line of a phone."""
    facts = [size(file.size)]
    facts += [file.type.partition("/")[2]] if _TYPE.fullmatch(file.type) else []
    day = here.clock.day(when(file.created))
    left = IN_BLOCK - sum(map(len, (*facts, day))) - len(facts) - 3
    name: Text = (" ", quote(file.name, max(left, 12))) if file.name else ()
    return (" ".join(facts), *name, f" {day}")


def mediainfo(here: Here, mxc: str, info: MediaInfo, to: str | None = None) -> Message:
    if info.stored is None:
        known = "blocked here" if info.blocked else "not blocked"
        return view((code(mxc), f": this server does not know it; {known}."), to=to)
    facts: list[str | Code] = [quote(info.name, 60) if info.name else "without a name"]
    facts += [media_type(info.type)] if info.type else []
    facts += [size(info.size)] if info.size is not None else []
    rows: list[Line] = [(*listed(facts), "."), (code(mxc),)]
    by: Text = (" by ", code(info.uploader)) if info.uploader else ()
    if info.created:
        stored = f"Stored {here.clock.dated(when(info.created))}"
        used = f", last used {here.clock.dated(when(info.used))}" if info.used else ""
        rows.append((stored, *by, f"{used}."))
    elif not info.stored:
        rows.append("The file itself is gone; only this entry is left.")
    blocked = "no"
    if info.blocked or info.blocked_by_hash:
        blocked = "yes" if info.blocked else "yes, a file with the same content is"
    rows.append(f"Blocked: {blocked}.")
    return view(*rows, to=to)


def blocked(here: Here, files: Sequence[Blocked], to: str | None = None) -> View:
    files = sorted(files, key=lambda f: f.blocked, reverse=True)
    if not files:
        return view("No files are blocked.", to=to), None
    rows = tuple(
        (
            f"{here.clock.day(when(f.blocked))}",
            *((" ", quote(f.reason, 60)) if f.reason else ()),
            "\n",
            code(f.mxc),
        )
        for f in files
    )
    head = f"{count(len(files), 'file')} blocked, the newest first"
    return first_page(here, paged((head,), rows, _PAGE), to=to)
