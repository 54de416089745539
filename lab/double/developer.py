"""Answers that describe the server or are meant for developers of servers."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import yaml

from .texts import NO_BLOCK, Content, html, plain

MEMORY = """Services:
lazy_load_waiting: 1
server_visibility_cache: 0
user_visibility_cache: 1
stateinfo_cache: 30
lasttimelinecount_cache: 0
roomid_spacechunk_cache: 0

Database:
pdu_cache: 215
shorteventid_cache: 30
auth_chain_cache: 0
eventidshort_cache: 218
statekeyshort_cache: 13
our_real_users_cache: 3
appservice_in_room_cache: 0
lasttimelinecount_cache: 3
Current database engine does not support memory usage reporting."""


def config(server: str, registration: bool, with_turn_secrets: bool) -> str:
    """show-config; up to 0.9 the TURN lines are five."""
    turn = "TURN URIs: unset"
    if with_turn_secrets:
        turn = (
            "TURN username: not set\nTURN password: not set\nTURN secret: not set\n"
            "Turn TTL: 86400\nTurn URIs: "
        )
    return f"""Active config values:

Server name: {server.partition(":")[0]}
Database backend: sqlite
Database path: /var/lib/conduit
Database cache capacity (MB): 300
Cache capacity modifier: 1
PDU cache capacity: 150000
Cleanup interval in seconds: 60
Maximum request size: 20000000
Maximum concurrent requests: 100
Allow registration: {"true" if registration else "false"}
Enabled lightning bolt: true
Allow encryption: true
Allow federation: true
Allow room creation: true
JWT secret: not set
Trusted servers:{" "}
{turn}
Well-known server name: {server.partition(":")[0]}:443
Well-known client URL: https://{server.partition(":")[0]}
"""


def appservice_id(text: str, *, url_is_required: bool) -> str:
    """The id of a registration, or the whole error text."""
    try:
        value = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        wanted = (error.problem or "").partition(", but")[0]
        start = error.context_mark
        at = f" at line {start.line + 1} column {start.column + 1}" if start else ""
        return (
            f"Could not parse appservice config: did not find {wanted} at line "
            f"{text.count(chr(10)) + 2} column 1, {error.context}{at}"
        )
    fields = ("id", "url", "as_token", "hs_token", "sender_localpart", "namespaces")
    for name in fields:
        optional = name == "url" and not url_is_required
        if not optional and (not isinstance(value, dict) or name not in value):
            return f"Could not parse appservice config: missing field `{name}`"
    return str(value["id"])


def pdu(event: Mapping[str, Any] | None, event_id: str) -> Content:
    if event is None:
        return plain("PDU not found.")
    server = str(event["sender"]).partition(":")[2]
    shown = {
        "auth_events": [f"${secrets.token_urlsafe(32)}" for _ in range(2)],
        "content": event["content"],
        "depth": 9,
        "event_id": event_id,
        "hashes": {"sha256": secrets.token_urlsafe(32)},
        "origin": server,
        "origin_server_ts": event.get("origin_server_ts", 1795465394029),
        "prev_events": [f"${secrets.token_urlsafe(32)}"],
        "room_id": event["room_id"],
        "sender": event["sender"],
        "signatures": {server: {"ed25519:4qjwDrwg": secrets.token_urlsafe(64)}},
        "type": event["type"],
        "unsigned": {"transaction_id": secrets.token_hex(6)},
    }
    text = json.dumps(shown, indent=2, ensure_ascii=False)
    head = "PDU was accepted"
    code = escape(text).replace("&#x27;", "'")
    return html(
        f"{head}\n```json\n{text}\n```",
        f'<p>{head}</p>\n<pre><code class="language-json">{code}\n</code></pre>\n',
    )


def json_problem(block: Sequence[str] | None) -> str | None:
    """What is wrong with a JSON block, None when it parses."""
    if block is None:
        return NO_BLOCK
    try:
        json.loads("\n".join(block))
    except ValueError:
        return "Invalid json: expected ident at line 1 column 2"
    return None


def parsed_pdu(block: Sequence[str] | None) -> str:
    if block is None:
        return "Expected code block in command body."
    try:
        value = json.loads("\n".join(block))
    except ValueError:
        return "Invalid json in command body: expected ident at line 1 column 2"
    if "type" not in value:
        return 'Could not parse PDU JSON: Json(JsonFieldMissingFromObject("type"))'
    event_id = f"${secrets.token_urlsafe(32)}"
    return f'EventId: Ok("{event_id}")\nCould not parse event: missing field `event_id`'


def signed_json(server: str, block: Sequence[str] | None) -> str:
    problem = json_problem(block)
    if problem or block is None:
        return problem or NO_BLOCK
    value = json.loads("\n".join(block))
    if not isinstance(value.get("signatures", {}), dict):
        raise TypeError("Conduit panics here")
    value["signatures"] = {server: {"ed25519:4peEfEfd": secrets.token_urlsafe(64)}}
    return json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True)
