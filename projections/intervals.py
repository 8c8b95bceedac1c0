"""Read models whose rows hold from one command's end to another's, so that any day can be read.

A row is drawn from the standing of its case alone. When a command leaves another row behind, the
old one ends there and the new one begins; every interval of a batch is kept.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import Column, Table

from mediation.store import Recorded
from projections.base import Load, Projection, Rows
from projections.folding import commands
from projections.standing import Standing, restored, stored

Drawn = Iterable[tuple[tuple[str, ...], Mapping[str, Any]]]
"""The rows of a case: what tells each apart from the others, and what stands in its columns.

A column that is not named is null.
"""

_Key = tuple[str, ...]
_Content = tuple[Any, ...]


class Intervals(Projection):
    """A read model of rows with a beginning and an end, and the standing they are drawn from."""

    case: Table
    item: Table

    @abstractmethod
    def rows(self, case: Standing) -> Drawn:
        """Draw the rows of a case as it stands, keyed in the order of `item_table`."""

    def case_table(self) -> Table:
        """Make the table of standings, and of when each row that lies there began."""
        return self.table(
            "case",
            Column("case_id", sa.Uuid, primary_key=True),
            Column("standing", sa.Text, nullable=False),
            Column("since", sa.Text, nullable=False),
        )

    def item_table(self, noun: str, keys: Sequence[str], *content: Column[Any] | sa.Index) -> Table:
        """Make the table of rows: case, keys, interval, content."""
        names = [it.name for it in content if isinstance(it, Column)]
        self._blank: dict[str, Any] = dict.fromkeys(names)
        self._in_order = itemgetter(*names)
        return self.table(
            noun,
            Column("case_id", sa.Uuid, primary_key=True),
            *(Column(name, sa.Text, primary_key=True) for name in keys),
            Column("from_position", sa.BigInteger, primary_key=True, autoincrement=False),
            Column("to_position", sa.BigInteger),
            *content,
        )

    def current_index(self, noun: str, *columns: str) -> sa.Index:
        """Make an index over the rows that hold now."""
        holds = sa.text("to_position IS NULL")
        return self.index(noun, *columns, postgresql_where=holds, sqlite_where=holds)

    def fold(self, batch: Sequence[Recorded], load: Load) -> Rows:
        """Open and close rows at the end of each command."""
        since: dict[UUID, dict[_Key, int]] = {}
        lying: dict[UUID, dict[_Key, _Content]] = {}

        def known(ids: set[UUID]) -> dict[UUID, Standing]:
            standings = {}
            for key, row in load(self.case, ids).items():
                standings[key] = restored(row.standing)
                since[key] = {tuple(item): at for item, at in _SINCE.decode(row.since)}
                lying[key] = self._drawn(standings[key])
            return standings

        changed: dict[UUID, Standing] = {}
        items: dict[tuple[Any, ...], tuple[Any, ...]] = {}
        for command_end, touched in commands(batch, known):
            changed.update(touched)
            for case_id, standing in touched.items():
                before, after = lying.get(case_id, {}), self._drawn(standing)
                opened = since.setdefault(case_id, {})
                for key, content in before.items():
                    if after.get(key) != content:
                        row = (case_id, *key, opened.pop(key))
                        items[row] = (*row, command_end, *content)
                for key, content in after.items():
                    if before.get(key) != content:
                        opened[key] = command_end
                        row = (case_id, *key, command_end)
                        items[row] = (*row, None, *content)
                lying[case_id] = after
        return {
            self.case: [
                (case_id, stored(standing), _since(since[case_id]))
                for case_id, standing in changed.items()
            ],
            self.item: list(items.values()),
        }

    def _drawn(self, case: Standing) -> dict[_Key, _Content]:
        return {key: self._in_order({**self._blank, **values}) for key, values in self.rows(case)}

    def lies(self, at_position: int | None) -> sa.ColumnElement[bool]:
        """Give the condition of the rows that hold now, or held at a position."""
        columns = self.item.c
        if at_position is None:
            return columns.to_position.is_(None)
        return sa.and_(
            columns.from_position <= at_position,
            sa.or_(columns.to_position.is_(None), columns.to_position > at_position),
        )


_SINCE = msgspec.json.Decoder(list[tuple[list[str], int]])


def _since(opened: Mapping[_Key, int]) -> str:
    return msgspec.json.encode(sorted(opened.items())).decode()
