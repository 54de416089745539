"""The messages of strangers.yaml, which was written without a look at the bot, as cases.

Their `what` is said in a stranger's words: it counts where it is an invocation, or what became of
a request; else only the group does. `python -m tests.corpus.strangers` plays them and says how
many are understood.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import Any

from sluice.catalog.table import find

from .play import Case, batches, play, rows

NAME = "strangers.yaml"
ARGUED: Mapping[str, str] = {  # where the stranger judged otherwise than the rule: the reason
    **dict.fromkeys(("s003", "s004", "s007", "s031"), "without the prefix in front it is chat"),
    **dict.fromkeys(
        ("s017", "s060", "s061"), "what begins with the prefix is answered once a day"
    ),
    "s066": "what begins with the bot's name is answered",
    **dict.fromkeys(("s013", "s014"), "a password is not asked back: it is removed and told"),
    **dict.fromkeys(("s005", "s006"), "courtesy behind a command is dropped, and it runs"),
    **dict.fromkeys(("s021", "s022"), "a reason has many names, and a card leads to votes"),
    "s011": "several commands in one message are said to be several",
    "s025": "Sluice knows no accounts that are in none of its rooms, and searches are typed",
    **dict.fromkeys(
        ("s034", "s035", "s036", "s098"), "in the example only owners may deactivate lists"
    ),
    "s037": "below a picture only what reads runs; this is asked",
    "s038": "an address may lack its server, and a card leads to votes",
    "s043": "a search takes capitals and small letters for the same",
    **dict.fromkeys(("s044", "s045", "s048", "s052"), "what only looks runs without a question"),
    "s059": "it is what was asked for, and can be undone",
    "s078": "who says wait is told that this is no vote",
    "s079": "“no idea” may be no no: the card is held until they say",
    "s093": "the next words of who was asked are offered as the answer",
    "s095": "a sentence is no name: it is asked for again, and the question stays open",
    **dict.fromkeys(("s010", "s027", "s030", "s042", "s058", "s099"), "a line says what to type"),
}
_PLACES = {"a person's message": "said"}
_ENDS = {"approved": "yes 1", "denied": "no 1", "cancelled": "cancelled 1"}
_PICTURE = {"filename": "shot.png", "url": "mxc://example.org/shot2"}


def cases() -> list[Case]:
    return [_case(row) for row in rows(NAME)]


def _case(row: Mapping[str, Any]) -> Case:
    given = f"stranger {row['given']}"
    content = {"msgtype": "m.text", "body": row["text"], **_relation(row)}
    before: tuple[Mapping[str, Any], ...] = ()
    if row.get("caption"):
        content = {**content, "msgtype": "m.image", **_PICTURE}
    if "edit_of" in row:
        old = {"msgtype": "m.text", "body": row["edit_of"], **_relation(row)}
        new = {"msgtype": "m.text", "body": row["text"]}
        relation = {"rel_type": "m.replace", "event_id": "$said"}
        content = {**new, "body": f"* {row['text']}", "m.new_content": new}
        content["m.relates_to"] = relation
        stands = row["given"] == "card" and "reply_to" not in row  # that is the card's command
        before = () if stands else ({"by": row["by"], "content": old},)
    if row.get("reply_to") == "a person's message":
        talk = {"msgtype": "m.text", "body": "are we meeting at eight?"}
        before = ({"by": "dan", "content": talk},)
    what = _what(row)
    return Case(row["id"], row["means"], content, "a stranger", row["by"], given, what=what,
                before=before, file=NAME)  # fmt: skip


def _relation(row: Mapping[str, Any]) -> dict[str, Any]:
    if "thread" in row:
        root = f"${row['thread']}"
        relation = {"rel_type": "m.thread", "event_id": root, "is_falling_back": True}
        return {"m.relates_to": {**relation, "m.in_reply_to": {"event_id": root}}}
    if "reply_to" in row:
        place = f"${_PLACES.get(row['reply_to'], row['reply_to'])}"
        return {"m.relates_to": {"m.in_reply_to": {"event_id": place}}}
    return {}


def _what(row: Mapping[str, Any]) -> str:
    """What counts of the stranger's words; "" if only the group does."""
    said = row["what"].partition("; ")[0]
    if row["means"] == "answered":
        end, _, reason = said.partition(": ")
        of_card = end in _ENDS and row["given"] == "card"
        return f"{_ENDS[end]} {reason}".strip() if of_card else ""
    said = re.sub(r" and (adduser )?@", " @", said)
    command, _, rest = said.partition(" ")
    if (
        find(command.rstrip(",")) is None
        or (not rest and row["means"] == "asked")
        or re.search(r"[?(]", said)
    ):
        return ""
    return f"{command.rstrip(',')}*" if command in ("help,", "disableroom", "approve") else said


def main() -> None:
    logging.disable()
    found = cases()
    wrong = {name: why for batch in batches(found) for name, why in play(batch).items()}
    for case in found:
        if case.id in wrong:
            print(
                f"{case.id} {case.content['body']!r}: {case.means} {case.what}\n{wrong[case.id]}"
            )
    print(f"{len(found) - len(wrong)} of {len(found)}, {len(ARGUED)} argued")


if __name__ == "__main__":
    main()
