-- Money. The ledger is exact to the millisecond of billed time and counts in integer micro-dollars.
-- What an instance costs is its price for the time from billed_from to billed_until, rounded up to a
-- micro-dollar, and the traffic of its jobs. Until it is proven gone this is accrued; then it is
-- split once over jobs and phases (functions/core/ledger/bill.ts) and written to `charges`.

alter table instances
  add column charged_at          timestamptz, -- its charges are written
  add column billed_microdollars bigint,      -- what the provider says that it cost
  add column billed_at           timestamptz;

alter table alerts add column told_to text[] not null default '{}'; -- ids of the addresses that have it (alerts/addresses.ts)

-- Ended before there was a ledger: proven gone when it was called so.
update instances set gone_at = terminated_at where state = 'terminated' and cost_microdollars > 0 and gone_at is null;

-- Of which the sums over an instance are made. No reference to jobs: what was paid for a job is
-- known when it is deleted, to nobody's name but its owner's budget.
create table charges (
  instance_id  ulid not null references instances,
  job_id       ulid,
  user_id      ulid, -- whose job it was
  phase        text not null check (phase in ('boot', 'load', 'transfer', 'work', 'idle', 'drain', 'traffic')),
  duration_ms  bigint not null check (duration_ms >= 0),
  microdollars bigint not null check (microdollars >= 0)
);
create unique index charges_of_instance on charges (instance_id, job_id, phase) nulls not distinct;
create index charges_of_job on charges (job_id);

-- What an attempt cost stays known when its job is deleted, until its instance is gone and charged.
alter table attempts
  drop constraint attempts_job_id_fkey,
  add column user_id       ulid,   -- only of a deleted job: whose it was,
  add column traffic_bytes bigint; -- and what was fetched for it
create index attempts_of_instance on attempts (instance_id);

create function keep_unbilled_attempts() returns trigger language plpgsql set search_path = public, pg_temp as $$
begin
  update attempts a set user_id = old.user_id, error_detail = null, ended_at = coalesce(ended_at, clock_timestamp()),
    traffic_bytes = (select size_bytes from media m where m.media_id = old.media_id)
  where job_id = old.job_id;
  delete from attempts a using instances i
  where a.job_id = old.job_id and i.instance_id = a.instance_id and i.state = 'terminated';
  return old;
end $$;
create trigger jobs_delete before delete on jobs for each row execute function keep_unbilled_attempts();

-- From when on the provider's clock runs. Where it runs from the container's start, that is the
-- first sign of it: the provider's word or the worker's.
create function billed_from(i instances) returns timestamptz language sql stable as $$
  select case i.offer ->> 'billedFrom' when 'start' then least(i.running_at, i.started_at, i.ready_at) else i.requested_at end
$$;

-- Until when, as seen at p_at: until the first of the reads that proved it gone. A lease that ended
-- although nobody ever saw a machine of it was never billed; one that may have a machine is.
create function billed_until(i instances, p_at timestamptz) returns timestamptz language sql stable as $$
  select case
    when i.state = 'terminated' and (i.gone_at is null or coalesce(i.provider_instance_id, i.started_at::text, i.ready_at::text) is null)
      then i.requested_at
    else least(i.gone_at, p_at) end
$$;

-- Whole milliseconds, as JavaScript has them.
create function epoch_ms(t timestamptz) returns bigint language sql stable as $$
  select floor(extract(epoch from t) * 1000)::bigint
$$;

create function price_of(p_microdollars_per_hour bigint, p_ms bigint) returns bigint language sql immutable as $$
  select ceil(p_microdollars_per_hour::numeric * p_ms / 3600000)::bigint
$$;

-- Price for the time until p_at. The part in a period is the difference of two, so parts add up.
create function time_cost(i instances, p_at timestamptz) returns bigint language sql stable as $$
  select price_of(i.price_microdollars_per_hour, greatest(0, epoch_ms(billed_until(i, p_at)) - epoch_ms(billed_from(i))))
$$;

-- The medium that an attempt fetched. Results go out by the kilobyte: not counted.
create function traffic_cost(a attempts) returns bigint language sql stable as $$
  select coalesce((
    select ceil(coalesce(a.traffic_bytes, (select size_bytes from jobs join media using (media_id) where job_id = a.job_id), 0)
      * (i.offer #>> '{trafficMicrodollarsPerGb,in}')::numeric / 1e9)
    from instances i where i.instance_id = a.instance_id), 0)::bigint
$$;

-- All that an instance cost since then: of what is gone, as it was charged.
create function cost_since(i instances, p_since timestamptz) returns bigint language sql stable as $$
  select time_cost(i, clock_timestamp()) - time_cost(i, p_since)
    + coalesce(case when i.state = 'terminated'
        then (select sum(microdollars) from charges c where c.instance_id = i.instance_id and phase = 'traffic')
        else (select sum(traffic_cost(a)) from attempts a where a.instance_id = i.instance_id) end, 0)::bigint
$$;

-- How long an attempt held its machine; at least a millisecond, so that shares can be made of it.
create function held_ms(a attempts) returns numeric language sql stable as $$
  select greatest(1, extract(epoch from coalesce(a.ended_at, clock_timestamp()) - a.started_at) * 1000)
$$;

-- Who bears which share of an instance's time: the jobs it worked on, by the time each held it; before
-- there is one, the job that it was rented for: weight of whole. Boot, load, idling and drain go by it too.
create function instance_shares(i instances)
returns table (job_id text, user_id text, weight numeric, whole numeric) language sql stable as $$
  with charged as (
    select c.job_id, c.user_id, sum(microdollars) as weight from charges c where c.instance_id = i.instance_id group by 1, 2
  ), held as (
    select a.job_id, coalesce(j.user_id, a.user_id) as user_id, sum(held_ms(a)) as weight
    from attempts a left join jobs j using (job_id)
    where a.instance_id = i.instance_id and not exists (select from charged) group by 1, 2
  ), bearers as (
    select * from charged union all select * from held
    union all
    select i.rented_for, (select j.user_id from jobs j where j.job_id = i.rented_for), 1
    where not exists (select from charged) and not exists (select from held)
  )
  select b.job_id, b.user_id, b.weight, greatest(1, sum(b.weight) over ()) from bearers b
$$;

-- An attempt's share of its instance: as it was charged, or as it has accrued so far.
create function attempt_cost(a attempts) returns bigint language sql stable as $$
  select coalesce(a.cost_microdollars, (
    select ceil(time_cost(i, clock_timestamp()) * held_ms(a) / (
      select sum(held_ms(o)) from attempts o where o.instance_id = i.instance_id)) + traffic_cost(a)
    from instances i where i.instance_id = a.instance_id))::bigint
$$;

-- What a job has cost so far: what was charged, and what it bears of what is not charged yet. Never
-- less than if its instances ended now; rounded up.
create function job_cost(p_job_id text) returns bigint language sql stable as $$
  select (
    coalesce((select sum(microdollars) from charges where job_id = p_job_id), 0)
    + coalesce((
      select sum(ceil(time_cost(i, clock_timestamp()) * s.weight / s.whole))
      from instances i cross join lateral instance_shares(i) s
      where i.state <> 'terminated' and s.job_id = p_job_id
        and (i.rented_for = p_job_id or i.instance_id in (select instance_id from attempts where job_id = p_job_id))), 0)
    + coalesce((
      select sum(traffic_cost(a)) from attempts a join instances i using (instance_id)
      where a.job_id = p_job_id and i.state <> 'terminated'), 0)
  )::bigint
$$;

-- A job that used up what it may cost, or that its budget stops, ends here. What it saved stays; its
-- worker learns it from its next heartbeat.
create function stop_job(p_job_id text, p_detail text) returns void language plpgsql set search_path = public, pg_temp as $$
begin
  update attempts set ended_at = clock_timestamp(), outcome = 'failed', error_code = 'budget_exceeded', error_detail = p_detail
  where job_id = p_job_id and ended_at is null;
  update jobs set state = 'failed', instance_id = null, error_code = 'budget_exceeded', error_detail = p_detail
  where job_id = p_job_id;
end $$;

create function in_dollars(p_microdollars bigint) returns text language sql immutable as $$
  select '$' || to_char(p_microdollars / 1e6, 'FM999999990.0000')
$$;

-- Holds a job against its own limit: warns once at 80 %, stops at 100 %. On a dear machine it stops
-- earlier, by so much that the next heartbeat and the machine's end, some 20 s together, do not lead
-- more than 2 % or a cent past it. Cheap while it is well below: nothing is locked, and a job that
-- somebody else has locked is looked at again at the next heartbeat.
create function check_budget(p_job_id text) returns void language plpgsql set search_path = public, pg_temp as $$
declare most bigint; spent bigint; soon bigint;
begin
  select max_cost_microdollars, price_of(price_microdollars_per_hour, 20000) into most, soon
  from jobs join instances using (instance_id) where job_id = p_job_id;
  if most is null then return; end if;
  spent := job_cost(p_job_id);
  if spent = 0 or spent < 0.8 * most then return; end if;
  perform from jobs where job_id = p_job_id and state in ('assigned', 'running') for update skip locked;
  if not found then return; end if;
  if spent >= most or spent + soon > most + greatest(most / 50, 10000) then
    perform stop_job(p_job_id, format(case when spent >= most then 'It has cost %s, and its limit is %s.'
      else 'It has cost %s, and at the price of its machine its limit of %s is only seconds away.' end,
      in_dollars(spent), in_dollars(most)));
  elsif not exists (select from events where job_id = p_job_id and type = 'job.budget_warning'
                    and (data ->> 'maxCostMicrodollars')::bigint = most) then
    insert into events (type, job_id, instance_id, data)
    select 'job.budget_warning', job_id, instance_id, jsonb_build_object('costMicrodollars', spent, 'maxCostMicrodollars', most)
    from jobs where job_id = p_job_id;
  end if;
end $$;

-- As before, and every ten seconds the moment to see what a running job costs by now. First the job and
-- then the instance is locked, as where progress is noted.
create or replace function worker.heartbeat(p_fence bigint)
returns jsonb language plpgsql security definer set search_path = public, pg_temp as $$
declare lease instances := worker.own_lease(p_fence);
begin
  perform worker.unhurried();
  perform check_budget(job_id) from jobs
  where instance_id = lease.instance_id and state = 'running' and max_cost_microdollars is not null;
  update instances set heartbeat_at = clock_timestamp() where instance_id = lease.instance_id;
  return jsonb_build_object('deadlineAt', lease.deadline_at, 'jobs', coalesce(
    (select jsonb_agg(job_id) from jobs where instance_id = lease.instance_id and state = 'running'), '[]'));
end $$;

grant execute on function billed_from, billed_until, epoch_ms, price_of, time_cost, traffic_cost, cost_since, held_ms, instance_shares,
  attempt_cost, job_cost, stop_job, in_dollars, check_budget to aima_functions;
