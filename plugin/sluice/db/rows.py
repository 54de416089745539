"""How rows are read and written: one mapping between a table and a class, for every store.

A column has the name of a field, and holds it by the field's type: numbers and text as they are, a
bool as 0 or 1, an enum as its value, None as NULL; everything else as JSON (`codec`), unless the
table names another way. Columns that are no fields are left alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Any, Generic, TypeVar, get_args, get_type_hints

from attrs import frozen

from . import codec
from .connection import Row, Tx

T = TypeVar("T")


@frozen
class Column:
    """How a field is written into its column and read from it; None is NULL in every column."""

    write: Callable[[Any], object]
    read: Callable[[Any], object]


WORDS = Column(" ".join, lambda text: tuple(text.split()))
_JSON = Column(codec.write, lambda text: codec.read(text) if text else None)


class Table(Generic[T]):
    """A table whose rows are values of one attrs class.

    names: the columns that are not called as their field. columns: those not held by their type.
    """

    def __init__(
        self, name: str, cls: type[T], names: Mapping[str, str] | None = None, **columns: Column
    ) -> None:
        kinds = get_type_hints(cls)
        self._name, self._cls, self._names = name, cls, {n: n for n in kinds} | dict(names or {})
        self._columns = {n: columns.get(n) or _column(kind) for n, kind in kinds.items()}

    def of(self, row: Row) -> T:
        """The value that a row holds."""
        return self._cls(**{n: self._read(n, row[name]) for n, name in self._names.items()})

    def row(self, value: T) -> dict[str, object]:
        """A value as its columns hold it."""
        return self._written({name: getattr(value, name) for name in self._names})

    def _read(self, name: str, raw: object) -> object:
        column = self._columns[name]
        return raw if column is None or raw is None else column.read(raw)

    def _written(self, fields: Mapping[str, object]) -> dict[str, object]:
        found = {}
        for name, value in fields.items():
            column = self._columns[name]  # a name that is no field ends here
            found[self._names[name]] = (
                value if column is None or value is None else column.write(value)
            )
        return found

    async def add(self, tx: Tx, value: T, tail: str = "") -> bool:
        """Inserts a row; see `insert`."""
        return await insert(tx, self._name, self.row(value), tail)

    async def put(self, tx: Tx, value: T, key: str) -> None:
        """Inserts a row or replaces the one with the same `key`."""
        await put(tx, self._name, self.row(value), key)

    async def all(self, tx: Tx, rest: str = "", *args: object) -> list[T]:
        """What "SELECT … FROM the table" and `rest` find."""
        return [
            self.of(row) for row in await tx.fetch(f"SELECT * FROM {self._name} {rest}", *args)
        ]

    async def one(self, tx: Tx, rest: str = "", *args: object) -> T | None:
        """The first of what `all` finds."""
        row = await tx.fetchrow(f"SELECT * FROM {self._name} {rest}", *args)
        return None if row is None else self.of(row)

    async def count(self, tx: Tx, rest: str = "", *args: object) -> int:
        """How many `all` finds."""
        return int(await tx.fetchval(f"SELECT COUNT(*) FROM {self._name} {rest}", *args))

    async def change(
        self, tx: Tx, fields: Mapping[str, object], where: str, *args: object
    ) -> bool:
        """Sets some fields of the rows that `where` names; whether there were any."""
        row = self._written(fields)
        sets = ", ".join(f"{name} = ${at}" for at, name in enumerate(row, len(args) + 1))
        query = f"UPDATE {self._name} SET {sets} WHERE {where} RETURNING 1"
        return await tx.fetchval(query, *args, *row.values()) is not None


def _column(kind: object) -> Column | None:
    """How a field of this type stands in its column; None for as it is."""
    kinds = [each for each in get_args(kind) or (kind,) if each is not type(None)]
    only = getattr(kinds[0], "__supertype__", kinds[0]) if len(kinds) == 1 else None  # of an id
    if only in (str, int, float):
        return None
    if only is bool:
        return Column(int, bool)
    if isinstance(only, type) and issubclass(only, Enum):
        return Column(lambda value: value.value, only)
    return _JSON


def marks(values: Sequence[object], start: int = 1) -> str:
    """A parameter for each value: "$1, $2, $3"."""
    return ", ".join(f"${number}" for number in range(start, start + len(values)))


async def insert(tx: Tx, table: str, row: Mapping[str, object], tail: str = "") -> bool:
    """False when `tail` says to do nothing on a conflict and there was one."""
    query = f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks([*row])}) {tail} RETURNING 1"
    return await tx.fetchval(query, *row.values()) is not None


async def put(tx: Tx, table: str, row: Mapping[str, object], key: str) -> None:
    """Inserts a row, or gives the one with the same `key` (a column, or several) these values."""
    keys = key.split(", ")
    sets = ", ".join(f"{name}=excluded.{name}" for name in row if name not in keys)
    await insert(tx, table, row, f"ON CONFLICT ({key}) DO UPDATE SET {sets}")
