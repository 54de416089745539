"""Ids in headlines: ours without their server, long ones cut in the middle."""

from __future__ import annotations

import pytest

from sluice.text.phrases import Here, line, short
from sluice.text.times import Clock


@pytest.mark.parametrize(
    ("id", "shown"),
    [
        ("@max:example.org", "@max"),
        ("#warez:example.org", "#warez"),
        ("!yiMaSsKkEe:example.org", "!yiMaSsKkEe"),
        ("@max:evil.org", "@max:evil.org"),
        ("@max:example.org.evil.org", "@max:example…rg.evil.org"),
        ("@averyveryverylongaccountname:example.org", "@averyveryve…accountname"),
        ("mxc://example.org/abcdefghijkl", "mxc://exampl…bcdefghijkl"),
        ("reports", "reports"),
        (":example.org", ":example.org"),
    ],
)
def test_short(id: str, shown: str) -> None:
    assert short(id, "example.org").text == shown
    assert len(shown) <= 24
    here = Here("example.org", Clock(0))
    assert line("{id:short}", here, id=id) == (short(id, "example.org"),)
