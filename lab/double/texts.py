"""The contents of Conduit's answers: plain, HTML, tables, and what nobody asked for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

Content = dict[str, Any]

NO_BLOCK = "Expected code block in command body. Add --help for details."


def plain(body: str) -> Content:
    return {"msgtype": "m.text", "body": body}


def html(body: str, formatted: str) -> Content:
    return {
        "msgtype": "m.text",
        "body": body,
        "format": "org.matrix.custom.html",
        "formatted_body": formatted,
    }


def usage(server: str, text: str) -> Content:
    """A help or usage error. Conduit puts its own name wherever the text says `server.name`."""
    text = text.replace("server.name", server)
    return html(text, _usage_html(text))


def _usage_html(text: str) -> str:
    text = text.replace("subcommand", "command").replace("<", "&lt;").replace(">", "&gt;")
    text = re.sub(r"^(.*?)\n", r"<em>\1</em>\n", text, count=1)
    text = text.replace("\n            ", "  ")
    text = re.sub(r"(?m)^    (([a-zA-Z_&;-]+(, )?)+)  +(.*)$", r"<code>\1</code>: \4", text)
    lines = text.split("\n")
    lines = lines[:-1] if lines[-1] == "" else lines
    if "[commandbody]()" in lines:
        at = lines.index("[commandbody]()")
        del lines[at]
        while at < len(lines) and lines[at].startswith("#"):
            del lines[at]
    return "\n".join(lines).replace("\n\n\n", "\n\n").replace("\n", "<br>\n")


def failed(error: str) -> Content:
    head = "Encountered an error while handling the command:\n"
    return html(f"{head}```\n{error}\n```", f"{head}<pre>\n{error}\n</pre>")


def bad_users(sections: Iterable[tuple[str, Sequence[str]]]) -> Content | None:
    """What is said about a list with bad entries; None when there is none."""
    body = formatted = ""
    for head, entries in sections:
        if entries:
            lines = "".join(f"{entry}\n" for entry in entries)
            body += f"{head}\n```\n{lines}```\n\n"
            formatted += f"{head}\n<pre>\n{lines}</pre>\n\n"
    return html(body, formatted) if body else None


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Content:
    """Cells are not escaped, in either form: that is how file names forge rows."""
    body = f"| {' | '.join(columns)} |\n|{' --- |' * len(columns)}"
    heads = "".join(f'<th scope="col">{column}</th>' for column in columns)
    formatted = f"<table><thead><tr>{heads}</tr></thead><tbody>"
    for row in rows:
        body += f"\n| {' | '.join(row)} |"
        formatted += f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>"
    return html(body, formatted + "</tbody></table>")


def si_size(size: int) -> str:
    """bytesize 2.0.1, SI display."""
    if size < 1000:
        return f"{size} B"
    value, unit = float(size), ""
    for letter in "kMGTPE":
        if value < 1000:
            break
        value, unit = value / 1000, letter
    return f"{value:.1f} {unit}B"


def rust_quoted(text: str) -> str:
    """A string in Rust's debug form."""
    named = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t", "\0": "\\0"}
    return '"' + "".join(named.get(c) or _debug_char(c) for c in text) + '"'


def _debug_char(char: str) -> str:
    return char if char.isprintable() else f"\\u{{{ord(char):x}}}"


# --- notices: server messages that answer nothing ---------------------------------------------


def notice(body: str) -> Content:
    return {"msgtype": "m.notice", "body": body}


def registered(user: str) -> Content:
    return notice(f"New user {user} registered on this server.")


def password_changed(user: str) -> Content:
    return notice(f"User {user} changed their password.")


def self_deactivated(user: str) -> Content:
    return notice(f"User {user} deactivated their account.")


EMERGENCY = plain(
    "The Conduit account emergency password is set! "
    "Please unset it as soon as you finish admin account recovery!"
)


def developers(date: str, message: str) -> Content:
    return plain(
        "@room: The following is a message from the Conduit developers. "
        f"It was sent on '{date}':\n\n{message}"
    )


def report(
    reporter: str,
    event: str,
    room: str,
    sender: str,
    score: int | None,
    reason: str | None,
    *,
    room_is_optional: bool = True,
) -> Content:
    """Reports of events; the room became optional in 0.10.8."""
    shown_room = f"Some({rust_quoted(room)})" if room_is_optional else rust_quoted(room)
    points = "None" if score is None else f"Some({score})"
    why = "None" if reason is None else f"Some({rust_quoted(reason)})"
    body = (
        f"Report received from: {reporter}\n\n"
        f'Event ID: "{event}"\nRoom ID: {shown_room}\nSent By: "{sender}"\n\n'
        f"Report Score: {points}\nReport Reason: {why}"
    )
    escaped = escape(reason or "").replace("&#x27;", "&#39;")
    formatted = (
        f'<details><summary>Report received from: <a href="https://matrix.to/#/"{reporter}"">'
        f'"{reporter}"</a></summary><ul><li>Event Info<ul><li>Event ID: <code>"{event}"</code>'
        f'<a href="https://matrix.to/#/{shown_room}/"{event}"">🔗</a></li>'
        f"<li>Room ID: <code>{shown_room}</code></li>"
        f'<li>Sent By: <a href="https://matrix.to/#/"{sender}"">"{sender}"</a></li></ul></li>'
        f"<li>Report Info<ul><li>Report Score: {points}</li><li>Report Reason: {escaped}</li>"
        "</ul></li></ul></details>"
    )
    return html(body, formatted)


def welcome(server: str) -> Content:
    me = f"@conduit:{server}"
    body = (
        "## Thank you for trying out Conduit!\n\n"
        "Conduit is currently in Beta. This means you can join and participate in most Matrix "
        "rooms, but not all features are supported and you might run into bugs from time to time."
        f"\n\nFor a list of available commands, send the following message in this room: "
        f"`{me}: --help`"
    )
    return html(
        body, f"<h2>Thank you for trying out Conduit!</h2>\n<p><code>{me}: --help</code></p>"
    )
