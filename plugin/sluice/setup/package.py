"""The plugin itself, from wherever this runs: a .mbp, a folder it was unpacked to, the source."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

from attrs import frozen
from ruamel.yaml import YAML

from .talk import Stopped

META = "maubot.yaml"
_EXAMPLES = "docs/examples"


@frozen
class Package:
    """at: the .mbp, or the folder that holds maubot.yaml."""

    at: Path

    @property
    def is_file(self) -> bool:
        return self.at.is_file()

    def read(self, name: str) -> bytes:
        if not self.is_file:
            return (self.at / name).read_bytes()
        with zipfile.ZipFile(self.at) as archive:
            return archive.read(name)

    def example(self, name: str) -> str:
        """A ready policy. Raises Stopped with the names, if it is none of them."""
        folder = zipfile.Path(self.at, f"{_EXAMPLES}/") if self.is_file else self.at / _EXAMPLES
        names = sorted(path.name.removesuffix(".yaml") for path in folder.iterdir())
        if name not in names:
            raise Stopped(f"The ready policies: {', '.join(names)}")
        return self.read(f"{_EXAMPLES}/{name}.yaml").decode()

    @property
    def version(self) -> str:
        return str(YAML(typ="safe").load(self.read(META))["version"])

    def content(self) -> bytes:
        """What is uploaded."""
        if self.is_file:
            return self.at.read_bytes()
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in self._names():
                archive.writestr(name, self.read(name))
        return out.getvalue()

    def _names(self) -> Iterator[str]:
        meta = YAML(typ="safe").load(self.read(META))
        yield META
        for module in meta["modules"]:
            folder = self.at / module
            for path in sorted(folder.rglob("*.py")) if folder.is_dir() else ():
                yield path.relative_to(self.at).as_posix()
            if not folder.is_dir():
                yield f"{module}.py"
        for pattern in meta["extra_files"]:
            yield from (path.relative_to(self.at).as_posix() for path in self.at.glob(pattern))

    def unpacked(self, folder: Path) -> Path:
        """Where maubot standalone can run it: a folder of its own for each version."""
        if not self.is_file:
            return self.at
        digest = hashlib.sha256(self.at.read_bytes()).hexdigest()[:8]
        place = folder / f"{self.version}-{digest}"
        if not place.exists():
            beside = folder / f".{place.name}.{os.getpid()}"
            shutil.rmtree(beside, ignore_errors=True)
            with zipfile.ZipFile(self.at) as archive:
                archive.extractall(beside)
            beside.rename(place)
        return place

    def command(self, *words: str) -> list[str]:
        """Starts `python -m sluice …`, from any folder."""
        return [sys.executable, str(self.at), *words]


def here() -> Package:
    """Raises Stopped where this runs without its package around it."""
    at = Path(__file__).absolute().parents[2]
    for place in (at, at.parent):  # the second: the source, with plugin/ on the path
        if at.is_file() or (place / META).exists():
            return Package(place)
    raise Stopped(f"{META} is not in {at}: run this as `python sluice-VERSION.mbp …`")
