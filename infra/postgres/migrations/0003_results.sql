-- Results: rows on the medium's time axis (functions/core/results/rows.ts says what each column
-- means), saved in parts. A part is keyed by job, analyzer and where it begins; saving it again
-- replaces it with all its rows.

create table parts (
  job_id   ulid not null references jobs on delete cascade,
  analyzer text not null,
  from_ms  integer not null,
  to_ms    integer not null check (to_ms >= from_ms),
  fence    bigint not null,
  saved_at timestamptz not null default clock_timestamp(),
  primary key (job_id, analyzer, from_ms)
);

create table segments (
  job_id ulid not null, analyzer text not null, from_ms integer not null, ordinal integer not null,
  start_ms integer not null, end_ms integer not null,
  text text not null, language text not null, confidence real, speaker_id text,
  primary key (job_id, analyzer, from_ms, ordinal),
  foreign key (job_id, analyzer, from_ms) references parts on delete cascade
);

create table words (
  job_id ulid not null, analyzer text not null, from_ms integer not null,
  segment_ordinal integer not null, ordinal integer not null,
  start_ms integer not null, end_ms integer not null, text text not null, confidence real,
  primary key (job_id, analyzer, from_ms, segment_ordinal, ordinal),
  foreign key (job_id, analyzer, from_ms, segment_ordinal) references segments on delete cascade
);

create table texts (
  job_id ulid not null, analyzer text not null, from_ms integer not null, ordinal integer not null,
  text_id text not null, start_ms integer not null, end_ms integer not null,
  text text not null, confidence real, quad jsonb not null,
  primary key (job_id, analyzer, from_ms, ordinal),
  foreign key (job_id, analyzer, from_ms) references parts on delete cascade
);

create table scenes (
  job_id ulid not null, analyzer text not null, from_ms integer not null, ordinal integer not null,
  scene_id text not null, start_ms integer not null, end_ms integer not null,
  score real, keyframe_ms integer not null, thumbnail text,
  primary key (job_id, analyzer, from_ms, ordinal),
  foreign key (job_id, analyzer, from_ms) references parts on delete cascade
);

create table objects (
  job_id ulid not null, analyzer text not null, from_ms integer not null, ordinal integer not null,
  track_id text not null, label text not null, class_id integer not null,
  start_ms integer not null, end_ms integer not null, confidence real, samples jsonb not null,
  primary key (job_id, analyzer, from_ms, ordinal),
  foreign key (job_id, analyzer, from_ms) references parts on delete cascade
);

create table faces (
  job_id ulid not null, analyzer text not null, from_ms integer not null, ordinal integer not null,
  track_id text not null, start_ms integer not null, end_ms integer not null,
  confidence real, samples jsonb not null, embedding bytea not null, embedding_space text not null, thumbnail text,
  primary key (job_id, analyzer, from_ms, ordinal),
  foreign key (job_id, analyzer, from_ms) references parts on delete cascade
);

create table people (
  job_id ulid not null, analyzer text not null, from_ms integer not null, ordinal integer not null,
  person_id text not null, start_ms integer not null, end_ms integer not null,
  cohesion real, track_ids text[] not null,
  primary key (job_id, analyzer, from_ms, ordinal),
  foreign key (job_id, analyzer, from_ms) references parts on delete cascade
);

-- The whole result of a settled job as one JSON document (schema: GET /function/jobs/schema).
create table documents (
  job_id     ulid primary key references jobs on delete cascade,
  document   jsonb not null,
  created_at timestamptz not null default now()
);
