-- What the server tells of itself (functions/core/health/, functions/core/metrics/).

-- When each sweep last went through, and which of its steps failed then (functions/core/health/sweeps.ts).
create table sweeps (
  name             text primary key check (name in ('jobs', 'leases')),
  finished_at      timestamptz not null default clock_timestamp(),
  failing          text[] not null default '{}', -- the steps that failed
  failing_since_at timestamptz                   -- since when some did
);
insert into sweeps (name) values ('jobs'), ('leases');

-- Counters that only grow, also when jobs are deleted. Whoever counts appends a row, and the sweep adds them up
-- (functions/core/metrics/tallies.ts): a row that everybody updated would be locked by any worker that keeps its
-- transaction open, and would keep all others waiting.
create table tally_log (
  name  text not null, -- what is counted
  label text not null, -- of which kind: a state, a phase; two with a slash between
  value bigint not null
);
create table tallies (
  name  text not null,
  label text not null,
  value bigint not null,
  primary key (name, label)
);
create view tallied as
  select name, label, sum(value)::bigint as value
  from (select name, label, value from tallies union all select name, label, value from tally_log) counted
  group by name, label;

-- Upper bounds of the histograms, in seconds.
create function phase_bounds() returns integer[] language sql immutable as $$
  select '{1,2,5,10,20,30,60,120,300,600,1200,1800,3600,7200,14400}'::integer[]
$$;

-- One observation of how long something took; nothing where it did not come to that.
create function tally_phase(p_phase text, p_from timestamptz, p_to timestamptz) returns void language sql as $$
  insert into tally_log (name, label, value)
  select counted.name, counted.label, counted.value
  from (select greatest(0, epoch_ms(p_to) - epoch_ms(p_from)) as ms) d cross join lateral (values
    ('phase_ms', p_phase, ms),
    ('phase_bucket', p_phase || '/' || coalesce(
      (select min(bound)::text from unnest(phase_bounds()) bound where bound * 1000 >= ms), '+Inf'), 1)
  ) counted (name, label, value)
  where ms is not null
$$;

-- A job that a person sent back counts anew when it has settled again. Pieces are parts of one job.
create function tally_settled() returns trigger language plpgsql as $$
begin
  insert into tally_log (name, label, value) values ('jobs_settled', new.state, 1);
  perform tally_phase('queued', new.queued_at, new.assigned_at);
  perform tally_phase('assigned', new.assigned_at, new.started_at);
  perform tally_phase('running', new.started_at, new.finished_at);
  perform tally_phase('total', new.queued_at, new.finished_at);
  return null;
end $$;
create trigger jobs_tally after update of settled_at on jobs for each row
  when (old.settled_at is null and new.settled_at is not null and new.parent_job_id is null) execute function tally_settled();

create function tally_ready() returns trigger language plpgsql as $$
begin
  perform tally_phase('renting', new.requested_at, coalesce(new.created_at, new.started_at, new.ready_at));
  perform tally_phase('booting', new.created_at, new.ready_at);
  return null;
end $$;
create trigger instances_tally_ready after update of state on instances for each row
  when (old.state <> 'ready' and new.state = 'ready') execute function tally_ready();

create function tally_ended() returns trigger language plpgsql as $$
begin
  insert into tally_log (name, label, value)
  values ('instances_ended', new.provider || '/' || coalesce(new.reason, 'unknown'), 1);
  perform tally_phase('ending', new.terminating_at, new.terminated_at);
  return null;
end $$;
create trigger instances_tally_ended after update of state on instances for each row
  when (old.state <> 'terminated' and new.state = 'terminated') execute function tally_ended();

create function tally_charged() returns trigger language plpgsql as $$
begin
  insert into tally_log (name, label, value)
  select name, phase, sum(value)
  from added cross join lateral (values ('charged_ms', duration_ms), ('charged_microdollars', microdollars)) counted (name, value)
  group by name, phase;
  return null;
end $$;
create trigger charges_tally after insert on charges
  referencing new table as added for each statement execute function tally_charged();

grant execute on function phase_bounds, tally_phase to aima_functions;

-- Of all that were ever called, those that did not arrive.
create index webhooks_undelivered on webhooks (job_id) where delivered_at is null;
