"""The goals G1 to G10 and G14 to G16, with floor and target; G11 to G13 come with the audit log."""

from __future__ import annotations

from benchmarks.report import Goal

_COMMAND = (
    "The interpreter, not the disk: one process holds one GIL. Of its samples a third carries the"
    " command out (token and receipt look-ups half of that, then sealing, appending, deciding), a"
    " quarter is the event loop and its hand-over to threads, a sixth the read models."
)

COMMANDS_PLAIN = Goal(
    "G1",
    "HTTP commands, whole engine",
    "endpoint that inserts one row",
    "1/s",
    2.0,
    4.0,
    is_most=False,
    dominates=_COMMAND,
)
COMMANDS_BARE = Goal(
    "G2",
    "HTTP commands, whole engine",
    "endpoint that does nothing",
    "1/s",
    0.5,
    0.8,
    is_most=False,
    dominates=_COMMAND,
)
COMMANDS_LIBRARY = Goal(
    "G3",
    "HTTP commands, whole engine",
    "the event library used naively",
    "1/s",
    6.0,
    12.0,
    is_most=False,
    dominates="Of the library: its table lock, held through every commit, and some 16 waits for"
    " the database a command.",
)
COMMAND_CPU = Goal(
    "G4",
    "CPU a command, server and database, read models caught up",
    "endpoint that inserts one row",
    "us",
    0.5,
    0.3,
    is_most=True,
    dominates=_COMMAND,
)
TAIL_LATENCY = Goal(
    "G5",
    "99th percentile of a command",
    "endpoint that inserts one row",
    "ms",
    0.8,
    0.6,
    is_most=True,
    dominates="Waiting for the GIL while followers fold and other commands decide.",
)
LONE_LATENCY = Goal(
    "G5",
    "median of a lone client's command",
    "endpoint that inserts one row",
    "ms",
    1.3,
    1.0,
    is_most=True,
    dominates="Three round trips to the database (token, receipt, append) against one.",
)
APPEND_UNLOCKED = Goal(
    "G6",
    "ordered append with receipt and version check, 32 writers",
    "unordered INSERT, 32 connections",
    "1/s",
    0.9,
    1.5,
    is_most=False,
    dominates="Group commit: the batch's one function call; around it the GIL, with 32 threads.",
)
APPEND_LOCKED = Goal(
    "G6",
    "ordered append with receipt and version check, 32 writers",
    "LOCK TABLE and INSERT, 32 connections",
    "1/s",
    6.0,
    10.0,
    is_most=False,
    dominates="Of the reference: the lock, held through one fsync after the other.",
)
APPEND_SQLITE = Goal(
    "G7",
    "ordered append with receipt and version check, 32 callers",
    "plain synchronous INSERT, one connection",
    "1/s",
    1.2,
    2.5,
    is_most=False,
    dominates="The fsync where it is slow, the 32 threads' hand-overs where it is fast.",
)
IN_PROCESS_ORM = Goal(
    "G8",
    "commands in process, 8 callers, read models following",
    "hand-written ORM row and audit row, 8 callers",
    "1/s",
    5.0,
    8.0,
    is_most=False,
    dominates="The interpreter: deciding, sealing and encoding a command, and five read models"
    " that fold each of its events.",
)
IN_PROCESS_EMMETT = Goal(
    "G8",
    "commands in process, 8 callers, read models following",
    "Emmett with inline projection, taken as 0.06 of this run's plain INSERT on 8 connections",
    "1/s",
    5.0,
    8.0,
    is_most=False,
    dominates="As before; Emmett itself does not run here, its share of the same plain INSERT was"
    " measured on another day.",
)
CATCH_UP_ONE = Goal(
    "G9",
    "catch-up of the worklist",
    "bulk insert of the same log",
    "1/s",
    0.9,
    1.3,
    is_most=False,
    dominates="The database: an event closes and opens 2.5 interval rows of 30 columns under three"
    " indexes; the fold itself takes 90 us of CPU an event, the standing's JSON most of that.",
)
CATCH_UP_ALL = Goal(
    "G9",
    "catch-up of every read model together",
    "bulk insert of the same log",
    "1/s",
    0.5,
    0.8,
    is_most=False,
    dominates="The same once for every read model, on one GIL.",
)
CATCH_UP_RUNNER = Goal(
    "G10",
    "catch-up of the worklist",
    "the event library's ProjectionRunner",
    "1/s",
    80.0,
    180.0,
    is_most=False,
    dominates="Of the reference: a transaction for every event.",
)
QUEUE = Goal(
    "G14",
    "one body's lane, first 50 by date, median",
    "one case by its id, median",
    "ms",
    4.0,
    4.0,
    is_most=True,
    dominates="Python: shaping 50 rows and building the statement take a third each, asking how far"
    " the read model has come a fifth, the database about a tenth.",
)
QUEUE_TAIL = Goal(
    "G14",
    "one body's lane, first 50 by date, 99th percentile",
    "ten milliseconds",
    "ms",
    1.0,
    1.0,
    is_most=True,
    dominates="As before.",
)
DASHBOARD = Goal(
    "G14",
    "every figure of one body for a month, with both comparisons, median",
    "a scan of 10,000 events of the log for one of them, median",
    "ms",
    0.2,
    0.11,
    is_most=True,
    dominates="Of ours: building and running six statements for three periods, a third of the time"
    " each for papers, lines and the arithmetic. Of the scan: reading and decoding every event.",
)
BYTES = Goal(
    "G15",
    "log bytes a case, without sealed fields, with receipts and indexes",
    "the event library used naively",
    "B",
    1.0,
    0.85,
    is_most=True,
    dominates="Self-describing JSON: 15 events of 904 B, of which the envelope with its names takes"
    " 437 and due dates with their reasons 146; receipts and indexes are a quarter of the whole.",
)
EXACTNESS = Goal(
    "G16",
    "events a tailing reader missed, and 2xx answers not exactly once in the log after kill -9",
    "all that was checked",
    "events",
    0.0,
    0.0,
    is_most=True,
    dominates="Nothing to be fast about.",
)
