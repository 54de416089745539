"""How the homeserver is asked: what is repeated, what is told apart, what is never logged."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator

import pytest

from sluice.matrix.api import NoResponse, RateLimited, Refused, passing
from tests.fake.homeserver import Fault
from tests.fake.world import World, world


@pytest.fixture
async def w() -> AsyncIterator[World]:
    async with world() as made:
        yield made


@pytest.fixture
def room(w: World) -> str:
    return w.fake.room(w.bot)


@pytest.mark.parametrize("acted", [False, True])
async def test_a_send_without_an_answer_is_not_repeated_by_anybody(
    w: World, room: str, acted: bool
) -> None:
    await w.hs.whoami()  # a connection that can be used again: aiohttp would repeat a PUT on it
    w.fake.faults.append(Fault("PUT", None, acted=acted))
    with pytest.raises(NoResponse):
        await w.hs.send(room, "m.room.message", {"body": "x"}, "t1")
    assert w.fake.count("PUT") == 1
    assert w.fake.bodies(room, w.bot) == (["x"] if acted else [])


async def test_the_same_txn_is_the_same_event(w: World, room: str) -> None:
    first = await w.hs.send(room, "m.room.message", {"body": "x"}, "t1")
    assert await w.hs.send(room, "m.room.message", {"body": "x"}, "t1") == first
    assert w.fake.bodies(room, w.bot) == ["x"]


async def test_a_read_is_repeated_and_waits_as_long_as_the_server_wants(
    w: World, room: str
) -> None:
    body = {"errcode": "M_LIMIT_EXCEEDED", "error": "", "retry_after_ms": 1500}
    w.fake.faults += [Fault("/state", 429, body), Fault("/state", 502)]
    assert len(await w.hs.state(room)) == 4
    assert w.slept == [1.5, 0.8]


async def test_refusals_say_what_and_never_in_the_servers_words(w: World, room: str) -> None:
    w.fake.faults.append(Fault("PUT", 403, {"errcode": "M_FORBIDDEN", "error": "hunter2 is bad"}))
    with pytest.raises(Refused) as caught:
        await w.hs.send(room, "m.room.message", {"body": "hunter2"}, "t1")
    assert (caught.value.status, caught.value.errcode) == (403, "M_FORBIDDEN")
    assert "hunter2" not in str(caught.value) + repr(caught.value)


async def test_nothing_that_is_sent_is_logged(
    w: World, room: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(1)
    logging.getLogger("mau").setLevel(1)
    await w.hs.send(room, "m.room.message", {"body": "hunter2"}, "t1")
    mxid, _ = w.fake.register("alice")
    session = await w.hs.login(mxid, "secret", "D")
    await w.hs.change_password(session, "secret", "hunter2", sign_out_others=False)
    w.fake.faults.append(Fault("/login", 500, {"error": "hunter2"}))
    with pytest.raises(Refused):
        await w.hs.login(mxid, "hunter2", "D")
    assert "hunter2" not in caplog.text
    assert "secret" not in caplog.text


async def test_a_password_is_changed_over_the_accounts_own_session(w: World) -> None:
    mxid, _ = w.fake.register("alice")
    session = await w.hs.login(mxid, "secret", "D")
    await w.hs.change_password(session, "secret", "new", sign_out_others=False)
    await w.hs.logout(session)
    assert w.fake.accounts[mxid].password == "new"
    with pytest.raises(Refused) as caught:
        await w.hs.login(mxid, "secret", "D")
    assert caught.value.errcode == "M_FORBIDDEN"


async def test_only_what_the_server_says_it_does_not_have_is_missing(w: World, room: str) -> None:
    assert await w.hs.event(room, "$unknown") is None
    w.fake.faults.append(Fault("/event/", 404, times=3))  # a proxy's page
    with pytest.raises(Refused):
        await w.hs.event(room, "$unknown")


async def test_what_may_pass(w: World) -> None:
    kept = (NoResponse("x"), RateLimited("", "", 1), Refused(502, "", ""), Refused(401, "", ""))
    assert all(map(passing, kept))
    assert not any(
        map(passing, (Refused(403, "", ""), Refused(413, "", ""), Refused(404, "", "")))
    )


async def test_ids_with_every_character_stand_in_a_path(w: World) -> None:
    w.fake.aliases["#a b/ü?%:fake.test"] = "!r"
    assert await w.hs.alias("#a b/ü?%:fake.test") == "!r"
    assert await w.hs.alias("#other:fake.test") is None
