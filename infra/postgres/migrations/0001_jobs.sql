-- Jobs: one medium with the analyses asked for it. The states and who moves them are told in
-- functions/core/jobs/states.ts; state_transitions is filled from there at every start, so
-- that code and database cannot differ.

-- Ids: 26 characters that sort by time (functions/core/ids.ts). One collation for all of them, or an
-- index on one side of a comparison is not used.
create domain ulid as text collate "C" check (value ~ '^[0-9a-hjkmnp-tv-z]{26}$');

create table users (
  user_id    ulid primary key,
  name       text not null unique,
  created_at timestamptz not null default now()
);

-- Whoever holds the first API token. Accounts of their own come beside it.
insert into users (user_id, name) values ('00000000000000000000000000', 'owner');

create table state_transitions (
  machine    text not null check (machine in ('job', 'instance')),
  from_state text not null, -- '' is birth
  to_state   text not null,
  primary key (machine, from_state, to_state)
);

create table settings (
  name  text primary key,
  value jsonb not null
);

-- Rows that are only ever locked, so that two planners decide one after the other. A table and
-- not an advisory lock, because any login of the database could hold one of those for ever.
create table locks (name text primary key);
insert into locks (name) values ('planner');

create table batches (
  batch_id        ulid primary key,
  user_id         ulid not null references users,
  idempotency_key text,
  request_sha256  bytea, -- of the request that made it: the same key with another request is refused
  created_at      timestamptz not null default now(),
  unique (user_id, idempotency_key)
);

create table media (
  media_id     ulid primary key,
  user_id      ulid not null references users,
  object_key   text not null, -- in the media bucket
  name         text not null, -- as the person called it; never used as a path
  content_type text,
  size_bytes   bigint,
  etag         text,
  kind         text check (kind in ('image', 'audio', 'video')),
  duration_ms  integer,
  width        integer,
  height       integer,
  upload_id    text,  -- of a multipart upload that is under way
  created_at   timestamptz not null default now(),
  uploaded_at  timestamptz,
  deleted_at   timestamptz
);
create unique index media_object_key on media (object_key) where deleted_at is null;

create table jobs (
  job_id                 ulid primary key,
  user_id                ulid not null references users,
  batch_id               ulid not null references batches,
  media_id               ulid not null references media,
  state                  text not null,
  analyses               text[] not null,
  options                jsonb not null default '{}', -- language, context, face grouping …: JobOptions in submit/request.ts
  priority               smallint not null default 0,
  max_cost_microdollars  bigint,
  callback_url           text,
  instance_id            ulid, -- the lease it is assigned to; only while assigned or running
  fence                  bigint not null default 0, -- the fencing number of whoever may write for it
  attempt                smallint not null default 0,
  max_attempts           smallint not null default 3,
  failed_starts          smallint not null default 0, -- instances in a row that died before they began it
  progress               real not null default 0 check (progress between 0 and 1),
  error_code             text,
  error_detail           text,
  run                    jsonb, -- how each analyzer ended, models, times: from the worker
  cost_microdollars      bigint not null default 0,
  created_at             timestamptz not null default clock_timestamp(),
  queued_at              timestamptz,
  not_before_at          timestamptz, -- after a failure: no new attempt before
  assigned_at            timestamptz,
  started_at             timestamptz,
  finished_at            timestamptz,
  settled_at             timestamptz, -- told to the world: document kept, cost shared, webhook queued
  check ((instance_id is not null) = (state in ('assigned', 'running')))
);

-- The queue is small beside the archive, so each look at it has a partial index that the
-- finished jobs are not in: a claim costs the same with a million of them.
create index jobs_queued on jobs (priority desc, queued_at) where state = 'queued';
create index jobs_assigned on jobs (instance_id, priority desc, queued_at) where state = 'assigned';
create index jobs_running on jobs (instance_id) where state = 'running';
create index jobs_waiting on jobs (created_at) where state in ('awaiting_upload', 'awaiting_confirmation');
create index jobs_unsettled on jobs (finished_at)
  where settled_at is null and state in ('succeeded', 'failed', 'canceled', 'expired');
-- Ascending in every column: only then is (user_id, state, job_id) < (…) one range of the index,
-- which is how functions/core/jobs/list.ts asks.
create index jobs_of_user on jobs (user_id, job_id);
create index jobs_of_user_by_state on jobs (user_id, state, job_id);
create index jobs_of_media on jobs (media_id);
create index jobs_of_batch on jobs (batch_id);

create table events (
  event_id    bigint generated always as identity primary key,
  at          timestamptz not null default clock_timestamp(),
  type        text not null,
  job_id      ulid,
  instance_id ulid,
  data        jsonb not null default '{}'
);
create index events_of_job on events (job_id, event_id) where job_id is not null;
create index events_of_instance on events (instance_id, event_id) where instance_id is not null;

create function check_step(machine text, from_state text, to_state text) returns void language plpgsql as $$
begin
  if not exists (select from state_transitions t
                 where t.machine = $1 and t.from_state = $2 and t.to_state = $3) then
    raise exception using errcode = 'AI001',
      message = format('%s: %s may not become %s', $1, coalesce(nullif($2, ''), 'nothing'), $3);
  end if;
end $$;

-- One trigger does all that belongs to a step, since each costs a claim its share: it checks the
-- step, stamps its time and writes it to the log.
create function step_job() returns trigger language plpgsql as $$
begin
  perform check_step('job', coalesce(old.state, ''), new.state);
  case new.state
    when 'queued' then
      new.queued_at := coalesce(new.queued_at, clock_timestamp());
      new.assigned_at := null; new.started_at := null; new.finished_at := null; new.settled_at := null;
    when 'assigned' then new.assigned_at := clock_timestamp();
    when 'running' then new.started_at := clock_timestamp();
    when 'succeeded', 'failed', 'canceled', 'expired' then new.finished_at := clock_timestamp();
    else null;
  end case;
  insert into events (type, job_id, instance_id, data)
  values ('job.' || new.state, new.job_id, coalesce(new.instance_id, old.instance_id),
          case when new.error_code is null then '{}'
               else jsonb_build_object('errorCode', new.error_code, 'errorDetail', new.error_detail) end);
  return new;
end $$;

create trigger jobs_insert before insert on jobs for each row execute function step_job();
create trigger jobs_step before update of state on jobs for each row
  when (old.state is distinct from new.state) execute function step_job();

-- Calls to the address a person gave, one row each job; sent until a 2xx or the last try.
create table webhooks (
  job_id       ulid primary key references jobs on delete cascade,
  url          text not null,
  tries        smallint not null default 0,
  next_try_at  timestamptz default now(), -- null: no more
  delivered_at timestamptz,
  last_error   text,
  created_at   timestamptz not null default now()
);
create index webhooks_due on webhooks (next_try_at) where next_try_at is not null;
