"""Which position the log had come to by a moment, and where the command around a position ends.

Two look-ups along the key of the log, each one round trip; no scan and no index beside it.
"""

from __future__ import annotations

POSITION_AT = """
    WITH RECURSIVE halving(low, high) AS (
        SELECT CAST(0 AS BIGINT), position FROM log_head
        UNION ALL
        SELECT CASE WHEN event.recorded_at <= :at THEN event.position ELSE low END,
               CASE WHEN event.recorded_at <= :at THEN high ELSE event.position - 1 END
        FROM halving JOIN event ON event.position = (low + high + 1) / 2
        WHERE low < high
    )
    SELECT low FROM halving WHERE low = high
"""
"""The last position recorded by `at`, 0 if there is none: a binary search.

Positions are dense and `recorded_at` never decreases with them (ADR 0003).
"""

COMMAND_END = """
    SELECT position FROM event
    WHERE position <= :position AND command_end = position ORDER BY position DESC LIMIT 1
"""
"""The last end of a command at or before a position: a command has few events."""

RECORDED_AT = "SELECT recorded_at FROM event WHERE position = :position"
