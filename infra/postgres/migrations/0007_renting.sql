-- Renting from others: what is known of providers and their offers, how a machine boots step by
-- step, and what a human is to be told.

alter table instances
  add column rented_for     ulid,        -- the job whose need it was rented for, the first of its jobs
  add column host           text,        -- what its offer names as the host, for the memory of bad ones
  add column seen_at        timestamptz, -- the provider first showed it: from then on its absence means something
  add column running_at     timestamptz, -- the provider first said that the container runs: a hint
  add column doubted_at     timestamptz, -- the answer to its create was lost
  add column started_at     timestamptz, -- the worker program's first word: the image is pulled
  add column starts         smallint not null default 0, -- how often the program began: a crash loop counts up
  add column progress_at    timestamptz, -- the last sign of progress with a job
  add column gone_at        timestamptz; -- the first of the reads that proved it gone: billed until then

-- Providers give ids again that ended long ago: one is unique only while its machine may live.
alter table instances drop constraint instances_provider_provider_instance_id_key;
create unique index instances_machine on instances (provider, provider_instance_id) where state <> 'terminated';

-- One need has one machine: while one serves it or may, a second cannot be written down, whoever
-- plans. One that is ending is not counted: its job must be able to go elsewhere although a provider
-- does not answer; what that may cost twice is in the budget until it is gone.
create unique index instances_one_for_a_need on instances (rented_for)
  where state in ('requested', 'in_doubt', 'booting', 'ready');

create table providers (
  provider        text primary key,
  next_look_at    timestamptz not null default now(), -- one at a time lists it: whoever moves this on
  listed_at       timestamptz, -- the last whole and credible list
  machines        integer,     -- how many of ours it showed
  failures        smallint not null default 0, -- of any call, in a row
  paused_until_at timestamptz, -- nothing is rented there before
  pause_reason    text,
  offers          jsonb,       -- as it made them last
  offers_at       timestamptz
);

-- Offers and hosts that went wrong, for some time; longer each time.
create table avoided (
  provider text not null,
  kind     text not null check (kind in ('offer', 'host')),
  key      text not null,
  reason   text not null,
  times    smallint not null default 1,
  until_at timestamptz not null,
  primary key (provider, kind, key)
);

-- What a human is to be told, once for each key until it is over (functions/core/alerts/).
create table alerts (
  alert_id    bigint generated always as identity primary key,
  key         text not null, -- what it is about, such as instance:<id>:not_gone
  severity    text not null check (severity in ('warning', 'critical')),
  text        text not null,
  data        jsonb not null default '{}',
  raised_at   timestamptz not null default clock_timestamp(),
  resolved_at timestamptz,
  told_at     timestamptz, -- sent to where people read it
  tries       smallint not null default 0,
  next_try_at timestamptz default now() -- null: no more
);
create unique index alerts_open on alerts (key) where resolved_at is null;
create index alerts_due on alerts (next_try_at) where next_try_at is not null;

create or replace function step_instance() returns trigger language plpgsql as $$
begin
  perform check_step('instance', coalesce(old.state, ''), new.state);
  case new.state
    when 'in_doubt' then new.doubted_at := clock_timestamp();
    when 'booting' then new.created_at := coalesce(new.created_at, clock_timestamp());
    when 'ready' then new.ready_at := clock_timestamp();
    when 'terminating' then new.terminating_at := clock_timestamp(); new.next_look_at := clock_timestamp(); new.gone_reads := 0;
    when 'terminated' then new.terminated_at := clock_timestamp(); new.next_look_at := null;
    else null;
  end case;
  insert into events (type, instance_id, data)
  values ('instance.' || new.state, new.instance_id,
          jsonb_strip_nulls(jsonb_build_object('provider', new.provider, 'reason', new.reason)));
  return new;
end $$;

-- The program's first word, before it tests its device and opens its models: what came before it was
-- boot and pull. Not a hello: it claims nothing yet. Repeated starts without a hello are a crash loop.
-- The report may name the machine as the provider's environment inside it does: a hint by which a
-- lease whose create was never answered finds its machine.
create function worker.starting(p_report jsonb)
returns void language plpgsql security definer set search_path = public, pg_temp as $$
declare lease instances;
begin
  select * into lease from instances where instance_id = substr(session_user, length('aima_worker_') + 1) for update;
  if lease.instance_id is null or lease.state not in ('requested', 'in_doubt', 'booting', 'ready') then
    raise exception using errcode = 'AI003', message = 'the lease is over';
  end if;
  if length(p_report::text) > 20000 then raise exception 'the report is too long'; end if;
  update instances set started_at = coalesce(started_at, clock_timestamp()), starts = least(starts + 1, 1000), worker = p_report
  where instance_id = lease.instance_id;
end $$;

-- The program cannot work here and says why (no GPU, a driver too old): the lease ends, the host is
-- remembered, and the jobs go elsewhere without it counting against them.
create function worker.unfit(p_detail text)
returns void language plpgsql security definer set search_path = public, pg_temp as $$
declare lease instances;
begin
  select * into lease from instances where instance_id = substr(session_user, length('aima_worker_') + 1) for update;
  if lease.instance_id is null or lease.state not in ('requested', 'in_doubt', 'booting', 'ready') then
    raise exception using errcode = 'AI003', message = 'the lease is over';
  end if;
  perform release_jobs(lease.instance_id, 'The machine was unfit: ' || left(p_detail, 500), false);
  update instances set state = 'terminating', reason = 'unfit', worker = coalesce(worker, '{}') || jsonb_build_object('unfit', left(p_detail, 2000))
  where instance_id = lease.instance_id;
end $$;

-- The last sign of progress, set where it happens. Not at a claim, whose rate counts.
create function note_progress() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
  update instances set progress_at = clock_timestamp() where instance_id = new.instance_id;
  return null;
end $$;
create trigger jobs_progress after update of progress on jobs for each row
  when (new.state = 'running' and new.progress > old.progress) execute function note_progress();

revoke execute on function worker.starting, worker.unfit, note_progress from public;
grant execute on function worker.starting, worker.unfit to aima_worker;
