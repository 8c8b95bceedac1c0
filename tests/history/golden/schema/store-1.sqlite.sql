CREATE TABLE event (
	position INTEGER NOT NULL, 
	recorded_at BIGINT NOT NULL, 
	command_end BIGINT NOT NULL, 
	originator_id CHAR(32) NOT NULL, 
	originator_version BIGINT NOT NULL, 
	topic TEXT NOT NULL, 
	state BLOB NOT NULL, 
	PRIMARY KEY (position), 
	CONSTRAINT event_stream_key UNIQUE (originator_id, originator_version)
);

CREATE TABLE receipt (
	command_id CHAR(32) NOT NULL, 
	body_mac BLOB NOT NULL, 
	command_type TEXT NOT NULL, 
	result TEXT NOT NULL, 
	first_position BIGINT NOT NULL, 
	last_position BIGINT NOT NULL, 
	PRIMARY KEY (command_id)
);

CREATE TABLE log_head (
	one SMALLINT NOT NULL CHECK (one = 1), 
	position BIGINT NOT NULL, 
	recorded_at BIGINT NOT NULL, 
	log_id CHAR(32) NOT NULL, 
	district TEXT NOT NULL, 
	kind TEXT NOT NULL CHECK (kind IN ('live', 'demo', 'test')), 
	schema_version INTEGER NOT NULL, 
	PRIMARY KEY (one)
);

CREATE TRIGGER event_refuses_update BEFORE update ON event
BEGIN SELECT RAISE(ABORT, 'event is append-only'); END;

CREATE TRIGGER event_refuses_delete BEFORE delete ON event
BEGIN SELECT RAISE(ABORT, 'event is append-only'); END;

CREATE TRIGGER receipt_refuses_update BEFORE update ON receipt
BEGIN SELECT RAISE(ABORT, 'receipt is append-only'); END;

CREATE TRIGGER receipt_refuses_delete BEFORE delete ON receipt
BEGIN SELECT RAISE(ABORT, 'receipt is append-only'); END;

CREATE TABLE vault_key (
	kid TEXT NOT NULL, 
	material BLOB, 
	minted_at BIGINT NOT NULL, 
	destroyed_at BIGINT, 
	PRIMARY KEY (kid), 
	CONSTRAINT vault_key_fate CHECK ((material IS NULL) = (destroyed_at IS NOT NULL))
)
 WITHOUT ROWID;

CREATE TABLE vault_secret (
	name TEXT NOT NULL, 
	material BLOB NOT NULL, 
	PRIMARY KEY (name)
);

CREATE TABLE log_mark (
	epoch INTEGER NOT NULL, 
	log_id CHAR(32) NOT NULL, 
	position BIGINT NOT NULL, 
	leaf BLOB NOT NULL, 
	marked_at BIGINT NOT NULL, 
	began_position BIGINT NOT NULL, 
	began_at BIGINT NOT NULL, 
	accepted_by_id CHAR(32), 
	reason TEXT, 
	PRIMARY KEY (epoch)
);

CREATE TABLE access_record (
	record_id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	at BIGINT NOT NULL, 
	actor_id CHAR(32) NOT NULL, 
	kind TEXT NOT NULL, 
	route TEXT NOT NULL, 
	case_id CHAR(32), 
	reason TEXT
);

CREATE INDEX access_record_by_actor ON access_record (actor_id, record_id);

CREATE INDEX access_record_by_case ON access_record (case_id, record_id);

