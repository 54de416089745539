"""Loaded by the lab's Synapse: where Conduit behaves differently and people would notice.

It tells the double what Conduit would have posted about (registrations, password changes, reports,
self-deactivations), keeps the switch of `allow-registration`, deactivates accounts without making
them leave their rooms, says M_USER_DEACTIVATED at a login as Conduit does, and takes away
Synapse's limits on /register/available and /hierarchy.
"""

from __future__ import annotations

import json
from typing import Any

from synapse.api.errors import Codes, SynapseError
from synapse.module_api import DirectServeJsonResource, ModuleApi
from synapse.rest.client.register import UsernameAvailabilityRestServlet
from synapse.types import UserID

from .synapse_speed import one_process_that_waits_for_nothing

PREFIX = "/_lab"


async def _available(self: Any, request: Any) -> tuple[int, dict[str, bool]]:
    name = request.args[b"username"][0].decode()
    await self.registration_handler.check_username(name)
    return 200, {"available": True}


UsernameAvailabilityRestServlet.on_GET = _available  # type: ignore[method-assign]
one_process_that_waits_for_nothing()


class LabModule:
    """config: `double`, the URL of the double's control port; `registration`, at the start."""

    def __init__(self, config: dict[str, Any], api: ModuleApi) -> None:
        self.api, self.hs = api, api._hs
        self.double, self.registration = config["double"], bool(config["registration"])
        self._let_room_summaries_be()
        self._watch_registrations()
        self._watch_passwords()
        self._watch_reports()
        self._answer_logins_of_deactivated()
        api.register_third_party_rules_callbacks(
            on_user_deactivation_status_changed=self._deactivated
        )
        api.register_web_resource(PREFIX, _Control(self))

    async def tell(self, what: str, **more: Any) -> None:
        """The double may be down: then nobody is told, as when Conduit's handler is dead."""
        try:
            await self.api.http_client.post_json_get_json(
                f"{self.double}/happened", {"what": what, **more}
            )
        except Exception as error:
            self.api.logger.warning("the double was not told of %s: %r", what, error)

    def _let_room_summaries_be(self) -> None:
        """Conduit does not limit /hierarchy; Synapse does, to five a second, by a constant."""

        async def ratelimit(*_: Any, **__: Any) -> None:
            pass

        self.hs.get_room_summary_handler()._ratelimiter.ratelimit = ratelimit

    def _watch_registrations(self) -> None:
        handler = self.hs.get_registration_handler()
        register = handler.register_user

        async def register_user(*args: Any, by_admin: bool = False, **more: Any) -> str:
            if not by_admin and not self.registration:
                raise SynapseError(403, "Registration has been disabled.", Codes.FORBIDDEN)
            user = await register(*args, by_admin=by_admin, **more)
            if not by_admin:
                await self.tell("registered", user=user)
            return str(user)

        handler.register_user = register_user  # type: ignore[method-assign]

    def _watch_passwords(self) -> None:
        handler = self.hs.get_set_password_handler()
        change = handler.set_password

        async def set_password(
            user_id: str, password_hash: str, logout_devices: bool, requester: Any = None
        ) -> None:
            await change(user_id, password_hash, logout_devices, requester)
            if requester is not None and requester.user.to_string() == user_id:
                await self.tell("password changed", user=user_id)

        handler.set_password = set_password  # type: ignore[method-assign]

    def _watch_reports(self) -> None:
        store = self.hs.get_datastores().main
        add = store.add_event_report

        async def add_event_report(**report: Any) -> int:
            number = await add(**report)
            event = await store.get_event(report["event_id"])
            content = report["content"]
            await self.tell(
                "reported",
                user=report["user_id"],
                room=report["room_id"],
                event=report["event_id"],
                sender=event.sender,
                score=content.get("score"),
                reason=content.get("reason"),
            )
            return int(number)

        store.add_event_report = add_event_report  # type: ignore[method-assign]

    def _answer_logins_of_deactivated(self) -> None:
        handler = self.hs.get_auth_handler()
        validate = handler.validate_login

        async def validate_login(submission: dict[str, Any], **more: Any) -> Any:
            user = submission.get("identifier", {}).get("user", "")
            full = user if user.startswith("@") else f"@{user}:{self.hs.hostname}"
            if await self.hs.get_datastores().main.get_user_deactivated_status(full):
                raise SynapseError(403, "The user has been deactivated", Codes.USER_DEACTIVATED)
            return await validate(submission, **more)

        handler.validate_login = validate_login  # type: ignore[method-assign]

    async def _deactivated(self, user: str, deactivated: bool, by_admin: bool) -> None:
        if deactivated and not by_admin:
            await self.tell("deactivated", user=user)

    async def account(self, localpart: str, password: str, displayname: str) -> dict[str, str]:
        """Somebody new, signed in: what takes an admin's request and a login otherwise."""
        accounts = self.hs.get_registration_handler()
        user = await accounts.register_user(
            localpart=localpart,
            password_hash=await self.hs.get_auth_handler().hash(password),
            default_display_name=displayname,
            by_admin=True,
        )
        device, token, *_ = await accounts.register_device(user, None, None)
        return {"user_id": user, "device_id": device, "access_token": token}

    async def deactivate_in_place(self, user: str) -> None:
        """What Conduit does without --leave-rooms: no sessions, no password, all memberships."""
        store = self.hs.get_datastores().main
        UserID.from_string(user)
        await self.hs.get_device_handler().delete_all_devices_for_user(user)
        await self.hs.get_auth_handler().delete_access_tokens_for_user(user)
        await store.user_set_password_hash(user, None)
        await store.set_user_deactivated_status(user, True)

    async def set_password(self, user: str, password: str) -> None:
        """Opens a deactivated account again, keeps sessions, tells nobody."""
        store = self.hs.get_datastores().main
        digest = await self.hs.get_auth_handler().hash(password)
        await store.user_set_password_hash(user, digest)
        await store.set_user_deactivated_status(user, False)


class _Control(DirectServeJsonResource):
    """For the double: POST /_lab/registration {"on"}, /_lab/deactivate {"user"} and
    /_lab/password {"user", "password"}; for the lab: /_lab/account {"localpart", "password",
    "displayname"}. Loopback only."""

    isLeaf = True

    def __init__(self, module: LabModule) -> None:
        super().__init__(clock=module.hs.get_clock())
        self.module = module

    async def _async_render_POST(self, request: Any) -> tuple[int, dict[str, Any]]:
        body = json.load(request.content)
        if request.path.endswith(b"/registration"):
            self.module.registration = bool(body["on"])
        elif request.path.endswith(b"/account"):
            return 200, await self.module.account(**body)
        elif request.path.endswith(b"/password"):
            await self.module.set_password(body["user"], body["password"])
        else:
            await self.module.deactivate_in_place(body["user"])
        return 200, {}
