"""What may be wrong around Sluice, each with its remedy: told when it is new, and by `status`."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from ..text.message import Message, Text, code
from ..text.phrases import Here, Word, alarm, filled, marked
from ..text.template import Template


@frozen
class ProblemText:
    """words: what is wrong, with its remedy. start: the same in the first message, if shorter.

    alarm: it has an alarm of its own at the moment it begins; else `drifted` tells it.
    Filled in are `{about}`, what it is about, and `{first}`, `{second}` … what else is known.
    """

    words: Template
    start: Template | None = None
    alarm: bool = False


def _drift(words: str, start: str = "") -> ProblemText:
    return ProblemText(Template(words), Template(start) if start else None)


def _alarm(words: str) -> ProblemText:
    return ProblemText(Template(words), alarm=True)


PROBLEMS = {
    "storage": _alarm("I cannot write my log ({about}): nothing can run. Make it work again."),
    "foreign": _alarm("""Somebody else uses my account, since {about}: only commands that read
        run. Stop a second Sluice, or change the account's password. Then: `!resume`"""),
    "log_broken": _alarm("""My log is not what I wrote: somebody changed the database. Find out
        who."""),
    "safe_mode": _alarm("""The policy has an error in line {about}: every command is refused.
        Correct it."""),
    "silent": _alarm("""Conduit has not answered since {about}: busy, or stuck. Restart it, unless
        something slow runs there."""),
    "no_answer": _alarm("""Conduit has not answered since {about}: it is busy, or stuck. I say so
        when I know."""),
    "not_in_admin_room": _drift("""I am not in the admin room: nothing can run. Invite {about}
        there."""),
    "not_in_ops_room": _drift("""I am not in the ops room {about}: nothing typed there runs.
        Invite me there."""),
    "no_such_room": _drift("""I am not in the ops room {about}: such ids have no server part.
        Write {first} in ops_rooms."""),
    "unread_room": _drift("""I cannot read the ops room {about}: nothing typed there runs. Look
        into the homeserver's log."""),
    "address_gone": _alarm("""{about} leads nowhere: commands are not answered. Repair: `!help
        repair`"""),
    "address_elsewhere": _drift("""{about} leads to another room: commands are not answered.
        Repair: `!help repair`"""),
    "mute": _drift("""I cannot write in this room, so nothing typed there runs. My power is
        {about}, “Send messages” needs {first}: change it in the room's settings, Roles &
        Permissions."""),
    "refused": _drift("""I cannot write in this room, so nothing typed there runs. The server
        says {about}: look whether I am a member there, and into its log."""),
    "odd_crypto": _drift("""I cannot write in this room, so nothing typed there runs. It is
        encrypted with {about}, which I do not know: use another room as ops room."""),
    "emptied": _drift("""Somebody erased this room's encryption setting; I go on encrypting.
        Switch encryption on again in the room's settings, Security & Privacy."""),
    "emergency": _alarm("Conduit's emergency password is set. Take it out of its config file."),
    "registration_late": _alarm("""Registration should be off since {about}, and Conduit has not
        confirmed it. Sure way: restart Conduit."""),
    "registration_open": _drift("""Registration is on until somebody switches it off: anybody
        can make an account. Close it: `!registration off`"""),
    "clocks": _drift("""My clock and the server's differ by {first}: commands may be refused as
        too old. Set both right."""),
    "unknown": _alarm("""#{about} {first}: nobody knows whether it ran. Look, then: `!resolve
        {about} done` or `!resolve {about} failed`"""),
    "unknown_more": _alarm("{about} more have an unknown outcome. See them: `!log`"),
    "stopper": _alarm("""{first} of {second} got no answer at {third}, and may have stopped
        Conduit: only an owner can run it again."""),
    "remote_member": _drift("""{about} is in the admin room: another server can read passwords
        there. Remove it."""),
    "not_owner": _drift("""{about} is in the admin room but no owner: it can do everything
        there. Remove it."""),
    "no_scrub": _drift(
        "My power in the admin room is {about}: I cannot remove passwords. Give me 50.",
        start="""My power in the admin room is {about}: passwords stay readable there. Give me
            50.""",
    ),
    "public": _drift(
        "This room is public: anyone can read along. Make it invite-only.",
        start="This room is public. Make it invite-only.",
    ),
    "world_readable": _drift("This room's history is open to the world. Set it to members only."),
    "upgraded": _alarm("""This room was upgraded; I stay here. An owner puts the new id into
        ops_rooms."""),
    "no_crypto": _alarm("""This room is encrypted and I cannot read it. Set up encryption for
        the bot in maubot."""),
    "no_react": _drift("""I cannot react in this room, so what I ask has no buttons. My power is
        {about}, “Send reactions” needs {first}: change it in the room's settings, Roles &
        Permissions."""),
    "no_unreact": _drift("""I cannot remove my reactions in this room, so buttons stay. My power
        is {about}, “Remove messages sent by me” needs {first}: change it in the room's
        settings."""),
    "no_tap": _drift("""Not everybody can tap ✅ in this room: {about}. “Send reactions” needs
        {first}. Change it in the room's settings, or vote with `!approve 12`."""),
    "no_untap": _drift("""Not everybody can take a tap back in this room: {about}. “Remove
        messages sent by me” needs {first}. Change it in the room's settings."""),
    "no_sync": _drift("""maubot's own connection has been down since {about}: keys of encrypted
        rooms do not come, and I answer late. Look at the token in maubot, then restart the
        instance."""),
    "new_device": _drift("""I am signed in as a new device, {first}: in encrypted rooms I cannot
        read what was said before, and people may have to verify me again. Not you? Change my
        password."""),
    "keys_kept": _drift("""I cannot read {about}: that app keeps its keys from my device.
        Verify it (owners' guide), or they write from another app."""),
    "autojoin": _drift("maubot's autojoin is on: anyone can pull me into a room. Switch it off."),
    "unknown_version": _alarm("""{about} is unknown to me: only commands that read work. Update
        Sluice."""),
    "no_account": _drift("""{about} is in the policy and has no account. Once it is made, an
        owner must trust it."""),
    "outdated": _alarm("""Policy line {about}. The next text must have it corrected; I read the
        stricter way."""),
    "one_owner": _drift("""There is one owner only: nobody can review a break-glass. Name a
        second one."""),
}
"""What can be wrong, the worst first. Each has a row here and is found by a source of `Drift`."""


def numbered(lines: Sequence[Text]) -> list[Text]:
    return [(f"{n}. ", *line) for n, line in enumerate(lines, 1)]


def drifted(here: Here, problems: Sequence[Text]) -> Message:
    """What is wrong since a short time ago, each with its remedy."""
    if len(problems) == 1:
        return alarm(here.owners, problems[0])
    return alarm(
        here.owners,
        "{n} new problems. Owners: look.",
        *numbered(problems[:9]),
        "All: `!status`",
        here=here,
        n=len(problems),
    )


def problem(here: Here, kind: str, about: str = "", *more: Word, start: bool = False) -> Text:
    """One problem in words. about, more: what fills its holes."""
    row = PROBLEMS[kind]
    subject = (code(about),) if about[:1] in ("@", "#", "!") else marked(about)
    values = dict(zip(("first", "second", "third"), more, strict=False))
    return filled((start and row.start) or row.words, here, {"about": subject, **values})
