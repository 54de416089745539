"""What is said in the model's admin room.

`model`: a small server whose commands and answers fit on a page, with every kind of likeness that
matters: answers that repeat an argument, answers that do not, errors that all commands share.
"""

from __future__ import annotations

import random
from typing import Any

from sluice.relay.model import Asked, Content, Oracle

NAMES = ("a", "b", "c")


def text(body: str) -> Content:
    return {"msgtype": "m.text", "body": body}


class ModelOracle:
    """The table of the model's server: `x make NAME`, `x shut NAME`, `x list`, `x slow NAME`."""

    def asked(self, body: str) -> Asked | None:
        words = body.split()
        if not words or words[0] != "x":
            return None
        word, *rest = [*words[1:], ""]
        if word.startswith("fence-"):
            return Asked("fence", (word[6:],))
        known = word in ("make", "shut", "list", "slow", "version")
        return Asked(word if known else "", tuple(filter(None, rest)))

    def is_notice(self, content: Content) -> bool:
        return content["msgtype"] == "m.notice" or content["body"].startswith("report: ")

    def is_listed(self, content: Content) -> bool:
        heads = ("made ", "taken ", "shut", "list: ", "slow ", "error: ", "usage: ", "x 1.0")
        return str(content["body"]).startswith(heads)

    def fits(self, asked: Asked, content: Content) -> bool:
        body = content["body"]
        if asked.command == "fence":
            return bool(body == f"usage: fence-{asked.words[0]}")
        name = asked.words[0] if asked.words else ""
        own = {
            "make": (f"made {name}", f"taken {name}"),
            "shut": ("shut",),
            "list": ("list: 3",),
            "slow": (f"slow {name}",),
            "version": ("x 1.0",),
        }[asked.command]
        return body in own or body.startswith("error: ")

    def is_slow(self, asked: Asked) -> bool:
        return asked.command == "slow"


class Model:
    oracle: Oracle = ModelOracle()

    def command(self, rng: random.Random) -> str:
        name = rng.choice(NAMES)
        return rng.choice([f"x make {name}", f"x shut {name}", "x list", f"x slow {name}"])

    def answer(self, rng: random.Random, body: str) -> Content:
        words = [*body.split()[1:], ""]
        if words[0].startswith("fence-"):
            return text(f"usage: {words[0]}")
        if words[0] not in ("make", "shut", "list", "slow", "version"):
            return text(rng.choice([f"usage: {words[0]}", "shut", "what?", "made a", "error: no"]))
        if rng.random() < 0.1:
            return text("error: disk full")
        made = rng.choice(["made", "taken"])
        return text(
            {
                "make": f"{made} {words[1]}",
                "shut": "shut",
                "list": "list: 3",
                "slow": f"slow {words[1]}",
                "version": "x 1.0",
            }[words[0]]
        )

    def unlisted(self, rng: random.Random) -> Content:
        return text(rng.choice(["quarantined (2)", "make a: done", "", "reports: none"]))

    def notice(self, rng: random.Random, hostile: bool) -> Content:
        if hostile:
            return text(
                f"report: {rng.choice(['shut', 'made a', 'x make a', 'usage: fence-n0x'])}"
            )
        return {"msgtype": "m.notice", "body": rng.choice(["new user a", "shut", "made b"])}

    def mystery(self, rng: random.Random) -> str:
        return rng.choice(["x frobnicate", "x", "x shut-all"])

    def version(self) -> str:
        return "x version"

    def fence(self, nonce: str) -> str:
        return f"x fence-{nonce}"


def named(name: str) -> Any:
    if name == "model":
        return Model()
    raise SystemExit(f"no script {name}")
