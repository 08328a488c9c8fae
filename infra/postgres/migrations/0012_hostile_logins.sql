-- What a worker's login could do to us although it may read no table, and the end of it.

-- Before, whatever the login owned kept it alive: a large object, a default privilege. Now that goes with
-- it. What it owns in another database cannot be dropped from here: then the login stays, and is shut.
create or replace function close_worker_login(p_instance_id text)
returns void language plpgsql security definer set search_path = public, pg_temp as $$
declare login text := 'aima_worker_' || p_instance_id;
begin
  if exists (select from pg_roles where rolname = login) then
    execute format('alter role %I nologin', login);
    perform pg_terminate_backend(pid, 1000) from pg_stat_activity where usename = login;
    begin
      execute format('grant %I to aima_owner', login);
      execute format('drop owned by %I', login);
      execute format('drop role %I', login);
    exception when dependent_objects_still_exist then
      raise warning '% owns something in another database', login;
    end;
  end if;
end $$;

-- A worker's calls are single statements that it gives up after 30 s. Whoever keeps a transaction open for longer holds locks
-- on its lease and its jobs, and with them whatever waits to end it: its sessions are cut, and its
-- login is shut, or it would be back before the others have their turn. The lease then ends for its silence.
create function shut_out_lingering_workers(p_seconds double precision)
returns setof text language plpgsql security definer set search_path = public, pg_temp as $$
declare login text;
begin
  for login in
    select distinct usename from pg_stat_activity
    where usename like 'aima\_worker\_%' and datname = current_database() and xact_start < now() - make_interval(secs => p_seconds)
  loop
    execute format('alter role %I nologin', login);
    perform pg_terminate_backend(pid, 1000) from pg_stat_activity where usename = login;
    return next login;
  end loop;
end $$;

-- As before; with the states, or no index is used and every job there ever was is looked at.
create or replace function release_jobs(p_instance_id text, p_detail text, p_died boolean)
returns setof ulid language plpgsql set search_path = public, pg_temp as $$
begin
  return query
    with held as (
      select job_id, attempt, state = 'running' as begun, failed_starts + (state = 'assigned' and p_died)::integer as starts,
        p_died and case when state = 'running' then attempt >= max_attempts else failed_starts >= 4 end as over
      from jobs where instance_id = p_instance_id and state in ('assigned', 'running') for update
    ), ended as (
      update attempts a set ended_at = clock_timestamp(), outcome = 'lost', error_code = 'worker_lost', error_detail = p_detail
      from held h where a.job_id = h.job_id and a.attempt = h.attempt and h.begun and a.ended_at is null
    )
    update jobs j set
      instance_id = null,
      state = case when h.over then 'failed' else 'queued' end,
      max_attempts = j.max_attempts + (h.begun and not p_died)::integer,
      failed_starts = h.starts,
      not_before_at = case when h.starts > 0 then clock_timestamp() + make_interval(secs => 5 * 2 ^ (h.starts - 1)) end,
      error_code = case when h.over then 'worker_lost' end,
      error_detail = case when h.over then p_detail end
    from held h where j.job_id = h.job_id
    returning j.job_id;
end $$;

-- As before; a machine that may be taken away, and whose worker was told to end by somebody who is not us, was
-- taken away: it counts as that for the planner. Its worker has the seconds to say so more often than not.
create or replace function worker.leave(p_fence bigint, p_reason text, p_died boolean)
returns void language plpgsql security definer set search_path = public, pg_temp as $$
declare lease instances := worker.own_lease(p_fence);
begin
  perform release_jobs(lease.instance_id, 'The worker left: it ' || left(p_reason, 200) || '.', p_died);
  update instances set state = 'terminating',
    reason = case when not p_died and (offer ->> 'interruptible')::boolean then 'preempted' else 'worker_left' end
  where instance_id = lease.instance_id;
end $$;

grant execute on function shut_out_lingering_workers to aima_functions;
