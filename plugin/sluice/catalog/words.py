"""What people, and other bots, call things: the words that are no commands here.

A word means one of our commands, or it is explained: what Sluice does not have, what cannot be
guessed, and what must be typed as it is called.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

T = TypeVar("T")


def _each(words: str, meant: T) -> dict[str, T]:
    return dict.fromkeys(words.split(), meant)


MEANS: Mapping[str, str] = {
    # what looks
    **_each(
        "commands command cmds cmd menu usage man manual guide hilfe ayuda aide aiuto", "help"
    ),
    **_each("pomoc ajuda hjelp hjälp yardim", "help"),
    **_each("whois whos lookup profile info account userinfo useraccount check inspect", "who"),
    **_each("accounts members userlist listusers listaccounts listmembers search find", "users"),
    **_each("user allusers finduser searchuser", "users"),
    **_each("room roomlist listrooms listroom channels spaces findroom allrooms", "rooms"),
    **_each("listmedia listfiles files uploads pictures", "media"),
    **_each("whoami rights myrights permissions perms me whatcani mayi", "can"),
    **_each("requests queue open todo waiting approvals cards votes listrequests", "pending"),
    **_each("history audit auditlog logs recent", "log"),
    **_each("rules", "policy"),
    **_each("settings configuration", "config"),
    **_each("next page nextpage", "more"),
    **_each("ping alive health up uptime state", "status"),
    **_each("dashboard overview", "board"),
    **_each("explain", "why"),
    **_each("ver about build", "version"),
    **_each("bridges", "appservices"),
    **_each("ram mem", "memory"),
    **_each("signup signups", "registration"),
    # what changes something
    **_each("add new create register newuser useradd mkuser newaccount addaccount", "adduser"),
    **_each("createaccount createuser newmember addmember", "adduser"),
    **_each("pw password passwd passwort pass reset resetpass resetpassword newpw", "resetpw"),
    **_each("newpassword changepw changepassword setpw setpassword forgot forgotpw", "resetpw"),
    **_each("freeze halt", "pause"),
    # a no is never in doubt
    **_each("no nope nein reject decline refuse veto disapprove", "deny"),
    **_each("abort withdraw retract revoke", "cancel"),
}
"""word -> the command, with the same words behind it."""

_VOTE = ("To vote for it, type: `!approve {number}`", "Or tap ✅ on its card. Open: `!pending`")
_GO_ON = ("To go on after a pause, an owner types: `!resume`",)
_GLASS = (
    "What cannot wait runs without votes, typed as: `!glass` and the whole command",
    "It is reviewed afterwards: `!help glass`",
)
_TRUST = ("To give a role back after a new password, an owner types: `!trust {name}`",)
_RESOLVE = ("To say how an unknown one ended, type: `!resolve {number} done`, or failed",)

TYPED: Mapping[str, tuple[str, ...]] = {
    "approve": _VOTE,
    "resume": _GO_ON,
    "glass": _GLASS,
    "trust": _TRUST,
    "resolve": _RESOLVE,
}
"""What is said in place of a command that is never guessed."""

_OUT = (
    "Sluice has no {word}. Sign an account out: `!deactivate {who}`",
    "Hide its files: `!blockuser {who}` · Out of one room: your client's Ban or Remove",
)
_DELETE = (
    "{word} what? Sign an account out: `!deactivate {who}`",
    "A file: `!purge` as a reply to it · A room: `!disableroom` · An address: `!rmalias`",
)
_BACK = (
    "Sluice has no {word}. To open a deactivated account again: `!resetpw {who}`",
    "A room: `!enableroom` · A file: `!unblock`",
)
_UNDO = (
    "How to undo it stands in the last line of each result: `!log` shows what ran",
    "A request that still waits: `!cancel {number}`",
)
UNDOES = frozenset(["undo", "revert", "rollback", "back", "oops", "redo"])
LOOKING = frozenset(["list", "ls", "show", "get", "display", "view", "see", "lists"])
"""In front of what is to be looked at: `show rooms`."""
_LIST = (
    "Which list? `!users` · `!rooms` · `!media` · `!pending` · `!log`",
    "All commands: `!help`",
)
_STOP = ("Stop what? One request: `!cancel {number}` · Everything: `!pause`",)
_LOG_OUT = (
    "To sign an account out everywhere: `!resetpw {who} --sign-out`",
    "So that nobody signs in again: `!deactivate {who}`",
)
_INVITE = (
    "Sluice invites nobody into rooms. A new account: `!adduser {name}`",
    "Into a room: your client's Invite",
)
_ROLES = (
    "Roles stand in the policy, and owners change it there. What you may do: `!can`",
    "What the policy says: `!policy`",
)


SAYS: Mapping[str, tuple[str, ...]] = {
    **_each(
        "ban kick mute silence gag suspend timeout lock disable shadowban softban banuser", _OUT
    ),
    **_each("kickuser muteuser tempban permaban warn quarantine purgemember disableuser", _OUT),
    **_each("delete remove del rm erase destroy terminate removeuser deleteuser deluser", _DELETE),
    **_each("rmuser deleteaccount removeaccount userdel redact close", _DELETE),
    **_each("unban unmute unkick restore reactivate undelete activate enable unsuspend", _BACK),
    **_each("unlock unbanuser undeactivate", _BACK),
    **dict.fromkeys(UNDOES, _UNDO),
    **dict.fromkeys(LOOKING, _LIST),
    **_each("stop", _STOP),
    **_each("logout signout logoff signoff login", _LOG_OUT),
    **_each("invite inviteuser join", _INVITE),
    **_each("op promote demote admin makeadmin mod power grant role roles", _ROLES),
    **_each("yes y yep ok okay accept confirm agree allow lgtm ja si oui", _VOTE),
    **_each("continue unpause unfreeze go", _GO_ON),
    **_each("emergency override force sudo breakglass", _GLASS),
    **_each("solved fixed settle", _RESOLVE),
}
"""word -> what is said. word, who, name and number are filled in with what was typed."""

NOISE = frozenset(["user", "account", "member", "the", "a", "an", "my", "this"])
"""Words in front of an account that name nothing: `ban user spam`."""
