CREATE TABLE event (
	position BIGINT NOT NULL, 
	recorded_at BIGINT NOT NULL, 
	command_end BIGINT NOT NULL, 
	originator_id UUID NOT NULL, 
	originator_version BIGINT NOT NULL, 
	topic TEXT NOT NULL, 
	state BYTEA NOT NULL, 
	PRIMARY KEY (position), 
	CONSTRAINT event_stream_key UNIQUE (originator_id, originator_version)
);

CREATE TABLE receipt (
	command_id UUID NOT NULL, 
	body_mac BYTEA NOT NULL, 
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
	log_id UUID NOT NULL, 
	district TEXT NOT NULL, 
	kind TEXT NOT NULL CHECK (kind IN ('live', 'demo', 'test')), 
	schema_version INTEGER NOT NULL, 
	PRIMARY KEY (one)
);

CREATE FUNCTION mediation_refuse_change() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN
    RAISE EXCEPTION USING MESSAGE = TG_TABLE_NAME || ' is append-only', ERRCODE = '42501';
END $$;

CREATE TRIGGER event_is_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON event
FOR EACH STATEMENT EXECUTE FUNCTION mediation_refuse_change();
ALTER TABLE event ENABLE ALWAYS TRIGGER event_is_kept;

CREATE TRIGGER receipt_is_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON receipt
FOR EACH STATEMENT EXECUTE FUNCTION mediation_refuse_change();
ALTER TABLE receipt ENABLE ALWAYS TRIGGER receipt_is_kept;

CREATE FUNCTION mediation_append_1(
    p_clock bigint,
    p_command_ids uuid[], p_body_macs bytea[], p_command_types text[], p_results text[],
    p_counts int[], p_expect_ends int[], p_span_ends int[],
    p_streams uuid[],
    p_expect_streams int[], p_expect_versions bigint[],
    p_span_streams int[], p_span_firsts bigint[], p_span_lasts bigint[],
    p_event_commands int[], p_event_offsets int[], p_event_streams int[],
    p_event_versions bigint[], p_event_topics text[], p_event_states bytea[],
    OUT o_recorded_at bigint, OUT o_firsts bigint[], OUT o_current bigint[]
) LANGUAGE plpgsql VOLATILE AS $function$
#variable_conflict error
DECLARE
    v_position bigint;
    v_top bigint;
    v_taken boolean[];
    v_reason int;
    v_expect int := 1;
    v_span int := 1;
BEGIN
    SELECT h.position, h.recorded_at INTO STRICT v_position, o_recorded_at
    FROM log_head h WHERE h.one = 1 FOR UPDATE;

    SELECT array_agg(coalesce(
        (SELECT e.originator_version FROM event e WHERE e.originator_id = s.id
         ORDER BY e.originator_version DESC LIMIT 1), -1) ORDER BY s.n)
    INTO o_current FROM unnest(p_streams) WITH ORDINALITY AS s(id, n);
    SELECT array_agg(EXISTS (SELECT 1 FROM receipt r WHERE r.command_id = c.id) ORDER BY c.n)
    INTO v_taken FROM unnest(p_command_ids) WITH ORDINALITY AS c(id, n);

    o_recorded_at := greatest(o_recorded_at, p_clock);
    o_firsts := array_fill(0::bigint, ARRAY[cardinality(p_counts)]);
    v_top := v_position;
    FOR v_command IN 1 .. cardinality(p_counts) LOOP
        v_reason := CASE WHEN v_taken[v_command] THEN 0 ELSE 1 END;
        FOR k IN v_expect .. p_expect_ends[v_command] LOOP
            EXIT WHEN v_reason < 1;
            IF greatest(o_current[p_expect_streams[k]], 0) <> p_expect_versions[k] THEN
                v_reason := -1;
            END IF;
        END LOOP;
        FOR k IN v_span .. p_span_ends[v_command] LOOP
            EXIT WHEN v_reason < 1;
            IF p_span_firsts[k] <= o_current[p_span_streams[k]] THEN
                v_reason := -2;
            END IF;
        END LOOP;
        IF v_reason = 1 THEN
            FOR k IN v_span .. p_span_ends[v_command] LOOP
                o_current[p_span_streams[k]] := p_span_lasts[k];
            END LOOP;
            o_firsts[v_command] := v_top + 1;
            v_top := v_top + p_counts[v_command];
        ELSE
            o_firsts[v_command] := v_reason;
        END IF;
        v_expect := p_expect_ends[v_command] + 1;
        v_span := p_span_ends[v_command] + 1;
    END LOOP;

    IF v_top > v_position THEN
        INSERT INTO event (position, recorded_at, command_end,
                           originator_id, originator_version, topic, state)
        SELECT o_firsts[e.command] + e.offs, o_recorded_at,
               o_firsts[e.command] + p_counts[e.command] - 1,
               p_streams[e.stream], e.version, e.topic, e.state
        FROM unnest(p_event_commands, p_event_offsets, p_event_streams,
                    p_event_versions, p_event_topics, p_event_states)
             AS e(command, offs, stream, version, topic, state)
        WHERE o_firsts[e.command] > 0;
        INSERT INTO receipt (command_id, body_mac, command_type, result,
                             first_position, last_position)
        SELECT r.id, r.mac, r.kind, r.result, o_firsts[r.n], o_firsts[r.n] + p_counts[r.n] - 1
        FROM unnest(p_command_ids, p_body_macs, p_command_types, p_results)
             WITH ORDINALITY AS r(id, mac, kind, result, n)
        WHERE r.id IS NOT NULL AND o_firsts[r.n] > 0;
        UPDATE log_head SET position = v_top, recorded_at = o_recorded_at WHERE one = 1;
    END IF;
END
$function$;

CREATE TABLE vault_key (
	kid TEXT NOT NULL, 
	material BYTEA, 
	minted_at BIGINT NOT NULL, 
	destroyed_at BIGINT, 
	PRIMARY KEY (kid), 
	CONSTRAINT vault_key_fate CHECK ((material IS NULL) = (destroyed_at IS NOT NULL))
);

CREATE TABLE vault_secret (
	name TEXT NOT NULL, 
	material BYTEA NOT NULL, 
	PRIMARY KEY (name)
);

CREATE TABLE log_mark (
	epoch INTEGER NOT NULL, 
	log_id UUID NOT NULL, 
	position BIGINT NOT NULL, 
	leaf BYTEA NOT NULL, 
	marked_at BIGINT NOT NULL, 
	began_position BIGINT NOT NULL, 
	began_at BIGINT NOT NULL, 
	accepted_by_id UUID, 
	reason TEXT, 
	PRIMARY KEY (epoch)
);

CREATE TABLE access_record (
	record_id BIGINT GENERATED ALWAYS AS IDENTITY, 
	at BIGINT NOT NULL, 
	actor_id UUID NOT NULL, 
	kind TEXT NOT NULL, 
	route TEXT NOT NULL, 
	case_id UUID, 
	reason TEXT, 
	PRIMARY KEY (record_id)
);

CREATE INDEX access_record_by_actor ON access_record (actor_id, record_id);

CREATE INDEX access_record_by_case ON access_record (case_id, record_id);

