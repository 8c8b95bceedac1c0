"""The log as the rest of the engine sees it: save, read, fold; how it is stored is elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from eventsourcing.application import Application
from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import (
    EventStore,
    InfrastructureFactory,
    ProcessRecorder,
    Recording,
    TrackingRecorder,
)
from eventsourcing.utils import Environment, EnvType
from sqlalchemy import Engine

from mediation.kernel import evolve, initial_state, kind_of
from mediation.store.appending import Receipt
from mediation.store.codec import EventMapper, StreamEvent
from mediation.store.engine import check_environment
from mediation.store.recorder import Head, LogRecorder, Recorded
from mediation.store.tracking import LogTracking


class LogFactory(InfrastructureFactory[LogTracking]):
    """Give the event library our recorder, and nothing of what we do not use."""

    def __init__(self, env: Environment, engine: Engine, *, clock: Callable[[], datetime]) -> None:
        super().__init__(env)
        self._engine = engine
        self._recorder = LogRecorder(engine, clock=clock)

    def application_recorder(self) -> LogRecorder:
        """Give the one recorder of this log."""
        return self._recorder

    def aggregate_recorder(self, purpose: str = "events") -> LogRecorder:
        """Refuse: snapshots are not kept.

        Raises:
            NotImplementedError: always, unless the log itself is meant.
        """
        if purpose != "events":
            raise NotImplementedError(purpose)
        return self._recorder

    def tracking_recorder(
        self,
        tracking_recorder_class: type[TrackingRecorder] | None = None,  # noqa: ARG002 - the library's
    ) -> LogTracking:
        """Give the tracking table that stands in the same database."""
        return LogTracking(self._engine)

    def process_recorder(self) -> ProcessRecorder:
        """Refuse: followers keep read models, they do not write the log.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError

    def close(self) -> None:
        """Close the recorder; the engine belongs to the caller."""
        self._recorder.close()


class LogStore(EventStore[UUID]):
    """The library's event store, answering with the whole envelope."""

    def put(
        self, domain_events: Sequence[DomainEventProtocol[UUID]], **kwargs: Any
    ) -> list[Recording[UUID]]:
        """Append the events of one command; each notification is a `Recorded`."""
        stored = [self.mapper.to_stored_event(event) for event in domain_events]
        positions = cast("LogRecorder", self.recorder).insert_events(stored, **kwargs)
        if positions is None:
            return []
        return [
            Recording(
                domain_event,
                Recorded(
                    originator_id=event.originator_id,
                    originator_version=event.originator_version,
                    topic=event.topic,
                    state=event.state,
                    id=position,
                    recorded_at=positions.recorded_at,
                    command_end=positions[-1],
                ),
            )
            for domain_event, event, position in zip(domain_events, stored, positions, strict=True)
        ]


class Log(Application[UUID]):
    """One district's log of events, receipts and head.

    Args:
        engine: of a migrated store; the caller disposes of it after `close`.
        clock: gives the present aware time; stamps `recorded_at`.
        env: settings for the event library; the process environment is never consulted.

    Raises:
        Unsafe: the store has not been migrated, or `env` holds an unsafe setting.
    """

    name = "mediation"

    def __init__(
        self,
        engine: Engine,
        *,
        clock: Callable[[], datetime],
        env: Mapping[str, str] | None = None,
    ) -> None:
        check_environment(env or {})
        self._engine = engine
        self._clock = clock
        super().__init__(env)

    def construct_env(self, name: str, env: EnvType | None = None) -> Environment:
        """Take the given settings alone."""
        return Environment(name, dict(env or {}))

    def construct_factory(self, env: Environment) -> InfrastructureFactory[Any]:
        """Wire our recorder."""
        return LogFactory(env, self._engine, clock=self._clock)

    def construct_recorder(self) -> LogRecorder:
        """Give our recorder, typed."""
        return cast("LogRecorder", super().construct_recorder())

    def construct_mapper(self) -> EventMapper:
        """Wire our codec for the district of the store."""
        self.identity = cast("LogRecorder", self.factory.application_recorder()).head()
        return EventMapper(self.identity.district)

    def construct_event_store(self) -> LogStore:
        """Wire our event store."""
        return LogStore(self.mapper, self.recorder)

    @property
    def log_recorder(self) -> LogRecorder:
        """The recorder, with what the library's interface does not know."""
        return cast("LogRecorder", self.recorder)

    @property
    def log_id(self) -> UUID:
        """Random id of this log."""
        return self.identity.log_id

    @property
    def district(self) -> str:
        """Code of the one district of this log."""
        return self.identity.district

    @property
    def kind(self) -> str:
        """`live`, `demo` or `test`."""
        return self.identity.kind

    def save(self, *objs: Any, **kwargs: Any) -> list[Recording[UUID]]:
        """Append the `StreamEvent`s of one command, all or none.

        Args:
            objs: in the order in which they are to stand.
            kwargs: `expects` and `receipt` as in `LogRecorder.insert_events`.

        Returns:
            One `Recording` per event; `recording.notification` is its `Recorded`.

        Raises:
            NotStorable: an event would not come back as it went in; nothing was written.
            AlreadyRecorded, StreamMoved, IntegrityError, OperationalError: as `insert_events`.
        """
        return super().save(*objs, **kwargs)

    def fold(self, stream_id: UUID, kind: str, version: int | None = None) -> tuple[int, Any]:
        """Fold a stream into its state, now or as it was at a version.

        Returns:
            The version reached and the state; (0, the initial state) if there are no events.
        """

        def project(_start: Any, stream_events: Iterable[Any]) -> Any:
            reached, state = 0, initial_state(kind)
            for placed in stream_events:
                if kind_of(placed.event.topic) != kind:
                    # The id of a stream of another kind names nothing of this kind.
                    return 0, initial_state(kind)
                reached, state = placed.originator_version, evolve(state, placed.event)
            return reached, state

        folded: Any = self.repository.get(
            stream_id, version=version, projector_func=cast("Any", project)
        )
        return cast("tuple[int, Any]", folded)

    def events_of(self, stream_id: UUID, lte: int | None = None) -> list[Recorded]:
        """Read the events of one stream with their envelope, up to a version."""
        return self.log_recorder.stream(stream_id, lte=lte)

    def read(self, start_exclusive: int, limit: int) -> list[Recorded]:
        """Read about `limit` events after a position, never cutting inside a command."""
        return self.log_recorder.read(start_exclusive, limit)

    def decoded(self, recorded: Recorded) -> StreamEvent:
        """Decode an event that was read."""
        return cast("StreamEvent", self.mapper.to_domain_event(recorded))

    def head(self) -> Head:
        """Read how far the log goes."""
        return self.log_recorder.head()

    def position_at(self, at: datetime) -> int:
        """Read the last position recorded by an aware time, 0 if none: the end of a command."""
        return self.log_recorder.position_at(at)

    def command_end(self, position: int) -> int:
        """Read the last end of a command at or before a position, 0 if there is none."""
        return self.log_recorder.command_end(position)

    def recorded_at(self, position: int) -> datetime | None:
        """Read when an event was recorded; None if there is no such position."""
        return self.log_recorder.recorded_at(position)

    def receipt(self, command_id: UUID) -> Receipt | None:
        """Read the receipt of a command, None if it was never carried out."""
        return self.log_recorder.receipt(command_id)

    def versions(self, ids: Iterable[UUID]) -> dict[UUID, int]:
        """Read the version at which each stream stands, 0 for one without events."""
        return self.log_recorder.versions(ids)

    def wait_beyond(
        self, position: int, timeout: float, *, stopped: Callable[[], bool] = lambda: False
    ) -> bool:
        """Wait at most `timeout` seconds, or until stopped, for the log to go beyond a position."""
        return self.log_recorder.tail.wait_beyond(position, timeout, stopped=stopped)

    def wake(self) -> None:
        """Let everybody who waits ask again whether he is stopped."""
        self.log_recorder.tail.wake()
