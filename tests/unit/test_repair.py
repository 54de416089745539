"""A lost address of the admin room: owners read every line of the repair finished."""

from __future__ import annotations

import json
import re
import shlex
from urllib.parse import unquote

import pytest

from tests.unit.app import ANA, BO, SERVER, live

ADDRESS = f"#admins:{SERVER}"


async def test_owners_read_finished_lines_and_nobody_else_the_id(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with live(monkeypatch) as made:
        await made.ready()
        made.types(BO, "!help repair")
        said = await made.hears("Conduit answers no command", count=1)
        assert made.admin_room not in said
        assert "In the old admin room's settings" in said
        made.types(ANA, "!help repair")
        said = await made.hears("Conduit answers no command", count=2)
        login, put, logout = [shlex.split(line) for line in re.findall(r"curl [^\n]*", said)]
        assert f"{made.fake.base}/_matrix/client/v3/login" in login
        body = json.loads(login[login.index("-d") + 1])
        assert body["identifier"] == {"type": "m.id.user", "user": "conduit"}
        assert json.loads(put[put.index("-d") + 1]) == {"room_id": made.admin_room}
        assert unquote(put[-1]) == f"{made.fake.base}/_matrix/client/v3/directory/room/{ADDRESS}"
        assert logout[3:] != []


async def test_the_id_is_known_also_after_a_start_without_the_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with live(monkeypatch) as made:
        await made.ready()
        await made.app.stop()
        made.alias(False)
        made.app = made._app()
        await made.app.start()
        made.types(ANA, "!help repair")
        assert made.admin_room in await made.hears("Conduit answers no command")
