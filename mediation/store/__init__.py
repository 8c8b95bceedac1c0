"""One district's log: append in one order without holes, read, wait, remember how far one came."""

from mediation.store.appending import AlreadyRecorded, Receipt, StreamMoved
from mediation.store.bulk import upsert
from mediation.store.codec import EventMapper, NotStorable, StreamEvent, leaf_bytes, leaf_hash
from mediation.store.engine import check_store, open_engine, writing
from mediation.store.log import Log
from mediation.store.migrations import migrate
from mediation.store.moments import from_micros, to_micros
from mediation.store.recorder import Head, LogRecorder, Recorded
from mediation.store.tail import Tail
from mediation.store.tracking import LogTracking, advance, create_tracking, tracked_position

__all__ = [
    "AlreadyRecorded",
    "EventMapper",
    "Head",
    "Log",
    "LogRecorder",
    "LogTracking",
    "NotStorable",
    "Receipt",
    "Recorded",
    "StreamEvent",
    "StreamMoved",
    "Tail",
    "advance",
    "check_store",
    "create_tracking",
    "from_micros",
    "leaf_bytes",
    "leaf_hash",
    "migrate",
    "open_engine",
    "to_micros",
    "tracked_position",
    "upsert",
    "writing",
]
