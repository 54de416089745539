"""What is said in the model's admin room: the commands of people, the server's answers, notices.

`model`: a small server whose commands and answers fit on a page, with every kind of likeness that
matters: answers that repeat an argument, answers that do not, errors that all commands share.
"""

from __future__ import annotations

import json
import random
from functools import lru_cache
from pathlib import Path
from typing import Any

from sluice.families.dialects import dialect_of, fence
from sluice.families.oracle import ConduitOracle
from sluice.model.admin_room import Asked, Content, Oracle

NAMES = ("a", "b", "c")
GOLDEN = Path(__file__).parents[1] / "golden"


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


class Conduit:
    """The real catalog, with what real servers of a version answered to every command.

    Half of the commands come from the recorded transcripts of tests/golden, word for word; the
    other half are the likest of them, with few names, so that answers get mixed up if they can.
    """

    def __init__(self, version: str) -> None:
        self.recorded: dict[str, list[Content]] = {}
        self.notices: list[Content] = [{"msgtype": "m.notice", "body": "Room disabled."}]
        for step in transcript(version) + transcript(f"edges-{version}"):
            for answer in step["answers"]:
                if step["by"] == "server":
                    self.notices.append(answer)
                elif "--version" not in step["send"] and "sluice-fence" not in step["send"]:
                    self.recorded.setdefault(step["send"], []).append(answer)
        self.bodies = sorted(self.recorded)
        dialect = dialect_of(version)
        assert dialect is not None
        self.oracle = Remembering(ConduitOracle(SERVER, dialect))
        self.says_version = text(f"{NAME}: {version}\n")
        for content in UNLISTED:
            assert not self.oracle.is_listed(content), content
            assert not self.oracle.is_notice(content), content

    def command(self, rng: random.Random) -> str:
        if rng.random() < 0.5:
            return rng.choice(self.bodies)
        name = rng.choice(NAMES)
        return f"{NAME}: " + rng.choice(
            [
                f"create-user {name}",
                f"create-user {name} hunter2",
                f"reset-password {name}",
                f"deactivate-user @{name}:{SERVER}",
                f"deactivate-user --leave-rooms @{name}:{SERVER}",
                f"deactivate-all\n```\n@{name}:{SERVER}\n@x:{SERVER}\n```",
                f"disable-room !{name}:{SERVER}",
                f"enable-room !{name}:{SERVER}",
                f"allow-registration {rng.choice(['true', 'false', ''])}",
                f"remove-alias '#{name}:{SERVER}'",
                "clear-database-caches 8",
                "clear-service-caches 6",
                "list-local-users",
            ]
        )

    def answer(self, rng: random.Random, body: str) -> Content:
        if body in self.recorded:
            return rng.choice(self.recorded[body])
        asked = self.oracle.asked(body)
        assert asked is not None, body
        if asked.command == "version":
            return self.says_version
        if asked.command in ("fence", ""):
            unknown = body.split()[1] if len(body.split()) > 1 else ""
            return (
                rng.choice([usage(unknown), text("Done.")])
                if not asked.command
                else usage(unknown)
            )
        if rng.random() < 0.1 and self.oracle.fits(asked, FAILED):
            return FAILED
        return text(rng.choice(self.likely(rng, asked)))

    def likely(self, rng: random.Random, asked: Asked) -> list[str]:
        words = [w for w in asked.words if not w.startswith("--")] or [""]
        user = f"@{words[0]}:{SERVER}"
        password = words[1] if len(words) > 1 else "".join(rng.choices("abcXYZ019", k=15))
        return {
            "create-user": [
                f"Created user with user_id: {user} and password: {password}",
                f"Userid {user} already exists",
            ],
            "reset-password": [
                f"Successfully reset the password for user {user}: {password}",
                "The specified user does not exist!",
            ],
            "deactivate-user": [
                f"User {words[0]} has been deactivated",
                f"User {words[0]} doesn't exist on this server",
            ],
            "deactivate-all": ["Deactivated 2 accounts.", "Deactivated 1 accounts."],
            "disable-room": ["Room disabled."],
            "enable-room": ["Room enabled."],
            "allow-registration": [
                {
                    "true": "Registration is now enabled",
                    "false": "Registration is now disabled",
                }.get(words[0], "Registration is currently disabled")
            ],
            "remove-alias": ["Alias removed successfully", "No such alias exists"],
            "clear-database-caches": ["Done."],
            "clear-service-caches": ["Done."],
            "list-local-users": [f"Found 1 local user account(s):\n@ana:{SERVER}"],
        }[asked.command]

    def unlisted(self, rng: random.Random) -> Content:
        return rng.choice(UNLISTED)

    def notice(self, rng: random.Random, hostile: bool) -> Content:
        if not hostile:
            return rng.choice(self.notices)
        reason = rng.choice(HOSTILE)
        return text(
            f'Report received from: @eve:{SERVER}\n\nEvent ID: "$e"\nRoom ID: Some("!r:x")\n'
            f'Sent By: "@bob:{SERVER}"\n\nReport Score: None\nReport Reason: Some("{reason}")'
        )

    def mystery(self, rng: random.Random) -> str:
        return f"{NAME}: {rng.choice(['frobnicate', 'disable-rooms !a', 'Create-User a'])}"

    def version(self) -> str:
        return f"{NAME}: --version"

    def fence(self, nonce: str) -> str:
        return fence(SERVER, nonce)


SERVER = "conduit.test"
NAME = f"@conduit:{SERVER}"
FAILED = text(
    "Encountered an error while handling the command:\n```\n"
    "There was a problem with the connection to the sqlite database: disk I/O error\n```"
)
UNLISTED = [
    text("Room is now quarantined (2)."),
    text(f"Created user with user_id: @a:{SERVER}"),
    text("Room disabled!"),
    text(""),
    {"msgtype": "m.emote", "body": "Room disabled."},
]
HOSTILE = [
    "Room disabled.",
    f"\\n\\nCreated user with user_id: @a:{SERVER} and password: abcXYZ019abcXYZ",
    f"{NAME}: disable-room !a:{SERVER}",
    "error: unrecognized subcommand 'sluice-fence-n0x'",
]


def usage(unknown: str) -> Content:
    """clap's answer to a word that it does not know (tests/golden: "nonsense")."""
    return text(
        f"error: unrecognized subcommand '{unknown}'\n\nUsage: {NAME}: <COMMAND>\n\n"
        "For more information, try '--help'.\n"
    )


def transcript(name: str) -> list[dict[str, Any]]:
    """The steps of a recorded transcript, its placeholders filled in."""
    lines = (GOLDEN / f"{name}.jsonl").read_text()
    for number in "1234":
        lines = lines.replace(f"{{room{number}}}", f"!room{number}:{SERVER}")
        lines = lines.replace(f"{{mxc{number}}}", f"mxc://{SERVER}/mxc{number}")
        lines = lines.replace(f"{{event{number}}}", f"$event{number}")
    return [json.loads(line) for line in lines.replace("{admin}", "!admin").splitlines()[1:]]


class Remembering:
    """A pure oracle asks itself the same for ever; the model asks it a million times."""

    def __init__(self, oracle: Oracle) -> None:
        self.asked = lru_cache(10_000)(oracle.asked)
        self._oracle = oracle
        self._known: dict[Any, bool] = {}

    def _once(self, name: str, *args: Any) -> bool:
        key = (name, *(json.dumps(a, sort_keys=True) if isinstance(a, dict) else a for a in args))
        if key not in self._known:
            self._known[key] = getattr(self._oracle, name)(*args)
        return self._known[key]

    def is_notice(self, content: Content) -> bool:
        return self._once("is_notice", content)

    def is_listed(self, content: Content) -> bool:
        return self._once("is_listed", content)

    def fits(self, asked: Asked, content: Content) -> bool:
        return self._once("fits", asked, content)

    def is_slow(self, asked: Asked) -> bool:
        return self._once("is_slow", asked)


NAMED = ("model", "0.9.0", "0.10.12", "0.11.0-alpha")


def named(*names: str) -> list[Any]:
    """The scripts of these names, or all."""
    return [Model() if name == "model" else Conduit(name) for name in names or NAMED]
