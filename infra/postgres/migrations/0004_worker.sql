-- What a worker may do: the functions of schema `worker`, and nothing else. A rented machine is a
-- stranger's computer: its login can read no table, sees only jobs assigned to its own lease, and
-- dies with the lease. Who calls is taken from session_user, never from an argument.
--
-- hello gives the worker a fence, claim gives each job one. A call with an older one is refused
-- (AI002), so a superseded worker can save nothing, whatever it still believes.

create schema worker;
revoke all on schema public from public;
grant usage on schema public to aima_functions;
grant select, insert, update, delete on all tables in schema public to aima_functions;
grant usage on all sequences in schema public to aima_functions;
alter default privileges in schema public grant select, insert, update, delete on tables to aima_functions;
alter default privileges in schema public grant usage on sequences to aima_functions;
alter default privileges revoke execute on functions from public;

-- The one function that makes logins. p_verifier is a SCRAM-SHA-256 verifier, so that no password
-- reaches a statement, a log or this database.
create function open_worker_login(p_instance_id text, p_verifier text, p_valid_until timestamptz)
returns void language plpgsql security definer set search_path = public, pg_temp as $$
declare login text := 'aima_worker_' || p_instance_id;
begin
  if p_instance_id !~ '^[0-9a-z]{26}$' or p_verifier !~ '^SCRAM-SHA-256\$' then
    raise exception 'not an instance id and a verifier';
  end if;
  perform from instances where instance_id = p_instance_id and state in ('requested', 'in_doubt', 'booting', 'ready');
  if not found then raise exception using errcode = 'AI003', message = 'the lease is over'; end if;
  if not exists (select from pg_roles where rolname = login) then
    execute format('create role %I login in role aima_worker connection limit 4', login);
  end if;
  execute format('alter role %I password %L valid until %L', login, p_verifier, p_valid_until);
end $$;

create function close_worker_login(p_instance_id text)
returns void language plpgsql security definer set search_path = public, pg_temp as $$
declare login text := 'aima_worker_' || p_instance_id;
begin
  if exists (select from pg_roles where rolname = login) then
    execute format('alter role %I nologin', login);
    perform pg_terminate_backend(pid, 1000) from pg_stat_activity where usename = login;
    execute format('drop role %I', login);
  end if;
end $$;

-- Puts the jobs of an instance back. Where the instance died of itself (p_died), a job that was begun
-- has used an attempt and fails when it was the last one: the job may be what killed it. A job that
-- was only assigned waits longer each time and fails after five, or a worker that cannot start at all
-- would be rented for it for ever. Where somebody ended the instance, nothing counts against the job.
create function release_jobs(p_instance_id text, p_detail text, p_died boolean)
returns setof ulid language plpgsql set search_path = public, pg_temp as $$
begin
  return query
    with held as (
      select job_id, attempt, state = 'running' as begun, failed_starts + (state = 'assigned' and p_died)::integer as starts,
        p_died and case when state = 'running' then attempt >= max_attempts else failed_starts >= 4 end as over
      from jobs where instance_id = p_instance_id for update
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

-- The rows of a job's results as JSON, part by part, in the shape of functions/core/results/rows.ts.
create function result_parts(p_job_id text, p_kinds text[] default null)
returns table (analyzer text, from_ms integer, to_ms integer, rows jsonb)
language sql stable set search_path = public, pg_temp as $$
  select p.analyzer, p.from_ms, p.to_ms, coalesce((
    select jsonb_agg(r.row order by r.start_ms, r.ordinal) from (
      select s.start_ms, s.ordinal, jsonb_build_object('kind', 'segment', 'startMs', s.start_ms, 'endMs', s.end_ms,
        'text', s.text, 'language', s.language, 'confidence', s.confidence, 'speakerId', s.speaker_id,
        'words', coalesce((
          select jsonb_agg(jsonb_build_object('startMs', w.start_ms, 'endMs', w.end_ms, 'text', w.text,
            'confidence', w.confidence) order by w.ordinal)
          from words w where (w.job_id, w.analyzer, w.from_ms, w.segment_ordinal) = (s.job_id, s.analyzer, s.from_ms, s.ordinal)
        ), '[]')) as row
      from segments s where (s.job_id, s.analyzer, s.from_ms) = (p.job_id, p.analyzer, p.from_ms)
      union all
      select t.start_ms, t.ordinal, jsonb_build_object('kind', 'text', 'textId', t.text_id, 'startMs', t.start_ms,
        'endMs', t.end_ms, 'text', t.text, 'confidence', t.confidence, 'quad', t.quad)
      from texts t where (t.job_id, t.analyzer, t.from_ms) = (p.job_id, p.analyzer, p.from_ms)
      union all
      select c.start_ms, c.ordinal, jsonb_build_object('kind', 'scene', 'sceneId', c.scene_id, 'startMs', c.start_ms,
        'endMs', c.end_ms, 'score', c.score, 'keyframeMs', c.keyframe_ms, 'thumbnail', c.thumbnail)
      from scenes c where (c.job_id, c.analyzer, c.from_ms) = (p.job_id, p.analyzer, p.from_ms)
      union all
      select o.start_ms, o.ordinal, jsonb_build_object('kind', 'object', 'trackId', o.track_id, 'label', o.label,
        'classId', o.class_id, 'startMs', o.start_ms, 'endMs', o.end_ms, 'confidence', o.confidence, 'samples', o.samples)
      from objects o where (o.job_id, o.analyzer, o.from_ms) = (p.job_id, p.analyzer, p.from_ms)
      union all
      select f.start_ms, f.ordinal, jsonb_build_object('kind', 'face', 'trackId', f.track_id, 'startMs', f.start_ms,
        'endMs', f.end_ms, 'confidence', f.confidence, 'samples', f.samples,
        'embedding', translate(encode(f.embedding, 'base64'), E'\n', ''), 'embeddingSpace', f.embedding_space,
        'thumbnail', f.thumbnail)
      from faces f where (f.job_id, f.analyzer, f.from_ms) = (p.job_id, p.analyzer, p.from_ms)
      union all
      select q.start_ms, q.ordinal, jsonb_build_object('kind', 'person', 'personId', q.person_id, 'startMs', q.start_ms,
        'endMs', q.end_ms, 'cohesion', q.cohesion, 'trackIds', q.track_ids)
      from people q where (q.job_id, q.analyzer, q.from_ms) = (p.job_id, p.analyzer, p.from_ms)
    ) r where p_kinds is null or r.row ->> 'kind' = any (p_kinds)
  ), '[]')
  from parts p where p.job_id = p_job_id order by p.analyzer, p.from_ms
$$;

-- Does not wait for the disk at commit. For calls whose loss in a crash of Postgres does no harm:
-- after a lost claim the job is only assigned again, and what the worker then says of it is refused.
create function worker.unhurried()
returns void language sql as $$ select set_config('synchronous_commit', 'off', true) $$;

create function worker.own_lease(p_fence bigint)
returns instances language plpgsql stable security definer set search_path = public, pg_temp as $$
declare lease instances;
begin
  select * into lease from instances where instance_id = substr(session_user, length('aima_worker_') + 1);
  if lease.instance_id is null or lease.state not in ('requested', 'in_doubt', 'booting', 'ready') then
    raise exception using errcode = 'AI003', message = 'the lease is over';
  end if;
  if p_fence <> lease.fence then
    raise exception using errcode = 'AI002', message = 'another worker has taken this lease over';
  end if;
  return lease;
end $$;

-- The job that the caller holds with this fence, locked; or AI002.
create function worker.own_job(p_fence bigint, p_job_id text)
returns jobs language plpgsql security definer set search_path = public, pg_temp as $$
declare job jobs;
begin
  select * into job from jobs where job_id = p_job_id for update;
  if job.job_id is null or job.state <> 'running' or job.fence <> p_fence
     or job.instance_id is distinct from substr(session_user, length('aima_worker_') + 1) then
    raise exception using errcode = 'AI002', message = 'the job is no longer this worker''s';
  end if;
  return job;
end $$;

-- The worker's first word: it is booted and its device works. Whoever says it last holds the lease;
-- what an earlier worker of the same lease had begun goes back to the queue.
create function worker.hello(p_report jsonb)
returns jsonb language plpgsql security definer set search_path = public, pg_temp as $$
declare lease instances; next_fence bigint := nextval('fences');
begin
  select * into lease from instances where instance_id = substr(session_user, length('aima_worker_') + 1) for update;
  if lease.instance_id is null or lease.state not in ('requested', 'in_doubt', 'booting', 'ready') then
    raise exception using errcode = 'AI003', message = 'the lease is over';
  end if;
  if length(p_report::text) > 20000 then raise exception 'the report is too long'; end if;
  if lease.fence <> 0 then
    update jobs set state = 'queued', instance_id = null where instance_id = lease.instance_id and state = 'assigned';
    perform release_jobs(lease.instance_id, 'The worker began anew.', true);
  end if;
  update instances set state = 'ready', fence = next_fence, heartbeat_at = clock_timestamp(), worker = p_report
  where instance_id = lease.instance_id;
  return jsonb_build_object('fence', next_fence, 'deadlineAt', lease.deadline_at);
end $$;

-- "I live." The answer says which jobs are still the worker's (a canceled one is missing).
create function worker.heartbeat(p_fence bigint)
returns jsonb language plpgsql security definer set search_path = public, pg_temp as $$
declare lease instances := worker.own_lease(p_fence);
begin
  perform worker.unhurried();
  update instances set heartbeat_at = clock_timestamp() where instance_id = lease.instance_id;
  return jsonb_build_object('deadlineAt', lease.deadline_at, 'jobs', coalesce(
    (select jsonb_agg(job_id) from jobs where instance_id = lease.instance_id and state = 'running'), '[]'));
end $$;

-- The next job of this lease, or null. With p_again, because the answer to the last claim was lost on
-- its way, a job that is running already is handed out first, as the same attempt: the worker does
-- one after the other, so nobody else is at it. SKIP LOCKED: several claimers never wait for each other.
create function worker.claim(p_fence bigint, p_again boolean default false)
returns jsonb language plpgsql security definer set search_path = public, pg_temp as $$
declare lease instances := worker.own_lease(p_fence); job jobs;
begin
  perform worker.unhurried();
  if p_again then
    update jobs j set fence = nextval('fences')
    where j.job_id = (select q.job_id from jobs q where q.instance_id = lease.instance_id and q.state = 'running'
                      for update skip locked limit 1)
    returning * into job;
  end if;
  if job.job_id is null then
    update jobs j set state = 'running', fence = nextval('fences'), attempt = j.attempt + 1, failed_starts = 0
    where j.job_id = (select q.job_id from jobs q where q.instance_id = lease.instance_id and q.state = 'assigned'
                      order by q.priority desc, q.queued_at for update skip locked limit 1)
    returning * into job;
  end if;
  if job.job_id is null then return null; end if;
  insert into attempts (job_id, attempt, instance_id, fence) values (job.job_id, job.attempt, lease.instance_id, job.fence)
  on conflict (job_id, attempt) do update set fence = excluded.fence;
  return (
    select jsonb_build_object('jobId', job.job_id, 'fence', job.fence, 'attempt', job.attempt, 'analyses', job.analyses,
      'options', job.options,
      'medium', jsonb_build_object('name', m.name, 'contentType', m.content_type, 'sizeBytes', m.size_bytes, 'kind', m.kind),
      'access', (select jsonb_build_object('getUrl', a.get_url, 'postUrl', a.post_url, 'postFields', a.post_fields,
                                           'expiresAt', a.expires_at)
                 from job_access a where a.job_id = job.job_id))
    from media m where m.media_id = job.media_id);
end $$;

-- Access signed anew, for a job that outlasts its presigned URLs.
create function worker.access(p_fence bigint, p_job_id text)
returns jsonb language plpgsql security definer set search_path = public, pg_temp as $$
declare job jobs := worker.own_job(p_fence, p_job_id);
begin
  return (select jsonb_build_object('getUrl', a.get_url, 'postUrl', a.post_url, 'postFields', a.post_fields,
                                    'expiresAt', a.expires_at) from job_access a where a.job_id = job.job_id);
end $$;

-- What earlier attempts saved: to go on after it.
create function worker.saved(p_fence bigint, p_job_id text)
returns jsonb language plpgsql security definer set search_path = public, pg_temp as $$
declare job jobs := worker.own_job(p_fence, p_job_id);
begin
  return coalesce((select jsonb_agg(jsonb_build_object('analyzer', r.analyzer, 'fromMs', r.from_ms, 'toMs', r.to_ms, 'rows', r.rows))
                   from result_parts(job.job_id) r), '[]');
end $$;

create function worker.save_part(p_fence bigint, p_job_id text, p_analyzer text, p_from_ms integer, p_to_ms integer, p_rows jsonb)
returns void language plpgsql security definer set search_path = public, pg_temp as $$
declare job jobs := worker.own_job(p_fence, p_job_id); kinds text[];
begin
  if p_analyzer <> all (job.analyses) then raise exception 'analysis % was not asked for', p_analyzer; end if;
  if jsonb_typeof(p_rows) <> 'array' or length(p_rows::text) > 32000000 then raise exception 'not a part'; end if;
  delete from parts where job_id = p_job_id and analyzer = p_analyzer and from_ms = p_from_ms;
  insert into parts (job_id, analyzer, from_ms, to_ms, fence) values (p_job_id, p_analyzer, p_from_ms, p_to_ms, p_fence);
  select array_agg(distinct value ->> 'kind') into kinds from jsonb_array_elements(p_rows);
  if 'segment' = any (kinds) then
    insert into segments
      select p_job_id, p_analyzer, p_from_ms, n, (r ->> 'startMs')::integer, (r ->> 'endMs')::integer, r ->> 'text',
             r ->> 'language', (r ->> 'confidence')::real, r ->> 'speakerId'
      from jsonb_array_elements(p_rows) with ordinality as x (r, n) where r ->> 'kind' = 'segment';
    insert into words
      select p_job_id, p_analyzer, p_from_ms, x.n, y.n, (w ->> 'startMs')::integer, (w ->> 'endMs')::integer, w ->> 'text',
             (w ->> 'confidence')::real
      from jsonb_array_elements(p_rows) with ordinality as x (r, n),
           jsonb_array_elements(r -> 'words') with ordinality as y (w, n) where r ->> 'kind' = 'segment';
  end if;
  if 'text' = any (kinds) then
    insert into texts
      select p_job_id, p_analyzer, p_from_ms, n, r ->> 'textId', (r ->> 'startMs')::integer, (r ->> 'endMs')::integer,
             r ->> 'text', (r ->> 'confidence')::real, r -> 'quad'
      from jsonb_array_elements(p_rows) with ordinality as x (r, n) where r ->> 'kind' = 'text';
  end if;
  if 'scene' = any (kinds) then
    insert into scenes
      select p_job_id, p_analyzer, p_from_ms, n, r ->> 'sceneId', (r ->> 'startMs')::integer, (r ->> 'endMs')::integer,
             (r ->> 'score')::real, (r ->> 'keyframeMs')::integer, r ->> 'thumbnail'
      from jsonb_array_elements(p_rows) with ordinality as x (r, n) where r ->> 'kind' = 'scene';
  end if;
  if 'object' = any (kinds) then
    insert into objects
      select p_job_id, p_analyzer, p_from_ms, n, r ->> 'trackId', r ->> 'label', (r ->> 'classId')::integer,
             (r ->> 'startMs')::integer, (r ->> 'endMs')::integer, (r ->> 'confidence')::real, r -> 'samples'
      from jsonb_array_elements(p_rows) with ordinality as x (r, n) where r ->> 'kind' = 'object';
  end if;
  if 'face' = any (kinds) then
    insert into faces
      select p_job_id, p_analyzer, p_from_ms, n, r ->> 'trackId', (r ->> 'startMs')::integer, (r ->> 'endMs')::integer,
             (r ->> 'confidence')::real, r -> 'samples', decode(r ->> 'embedding', 'base64'), r ->> 'embeddingSpace', r ->> 'thumbnail'
      from jsonb_array_elements(p_rows) with ordinality as x (r, n) where r ->> 'kind' = 'face';
  end if;
  if 'person' = any (kinds) then
    insert into people
      select p_job_id, p_analyzer, p_from_ms, n, r ->> 'personId', (r ->> 'startMs')::integer, (r ->> 'endMs')::integer,
             (r ->> 'cohesion')::real, array(select jsonb_array_elements_text(r -> 'trackIds'))
      from jsonb_array_elements(p_rows) with ordinality as x (r, n) where r ->> 'kind' = 'person';
  end if;
end $$;

create function worker.progress(p_fence bigint, p_job_id text, p_fraction real)
returns void language plpgsql security definer set search_path = public, pg_temp as $$
declare job jobs := worker.own_job(p_fence, p_job_id);
begin
  perform worker.unhurried();
  update jobs set progress = greatest(progress, least(greatest(p_fraction, 0), 1)) where job_id = job.job_id;
end $$;

-- The job is done: in one transaction, after every part was saved.
create function worker.finish(p_fence bigint, p_job_id text, p_run jsonb, p_medium jsonb)
returns void language plpgsql security definer set search_path = public, pg_temp as $$
declare job jobs := worker.own_job(p_fence, p_job_id);
begin
  if length(p_run::text) > 200000 then raise exception 'the report is too long'; end if;
  update media set kind = coalesce(p_medium ->> 'kind', kind), duration_ms = coalesce((p_medium ->> 'durationMs')::integer, duration_ms),
                   width = coalesce((p_medium ->> 'width')::integer, width), height = coalesce((p_medium ->> 'height')::integer, height)
  where media_id = job.media_id;
  update attempts set ended_at = clock_timestamp(), outcome = 'succeeded' where job_id = job.job_id and attempt = job.attempt;
  update jobs set state = 'succeeded', instance_id = null, progress = 1, run = p_run, error_code = null, error_detail = null
  where job_id = job.job_id;
end $$;

-- The job could not be done. With p_retry it is tried again, later and later, while attempts are left.
create function worker.fail(p_fence bigint, p_job_id text, p_code text, p_detail text, p_retry boolean, p_run jsonb)
returns void language plpgsql security definer set search_path = public, pg_temp as $$
declare job jobs := worker.own_job(p_fence, p_job_id); again boolean := p_retry and job.attempt < job.max_attempts;
begin
  update attempts set ended_at = clock_timestamp(), outcome = 'failed', error_code = left(p_code, 64), error_detail = left(p_detail, 2000)
  where job_id = job.job_id and attempt = job.attempt;
  update jobs set state = case when again then 'queued' else 'failed' end, instance_id = null,
    not_before_at = case when again then clock_timestamp() + make_interval(secs => 5 * 4 ^ (job.attempt - 1)) end,
    error_code = left(p_code, 64), error_detail = left(p_detail, 2000), run = coalesce(p_run, run)
  where job_id = job.job_id;
end $$;

-- The worker ends of its own accord (nothing to do, shut down, no contact): its lease is to end too.
create function worker.leave(p_fence bigint, p_reason text, p_died boolean)
returns void language plpgsql security definer set search_path = public, pg_temp as $$
declare lease instances := worker.own_lease(p_fence);
begin
  perform release_jobs(lease.instance_id, 'The worker left: it ' || left(p_reason, 200) || '.', p_died);
  update instances set state = 'terminating', reason = 'worker_left' where instance_id = lease.instance_id;
end $$;

revoke execute on all functions in schema public, worker from public;
grant usage on schema worker to aima_worker;
grant execute on function worker.hello, worker.heartbeat, worker.claim, worker.access, worker.saved, worker.save_part,
  worker.progress, worker.finish, worker.fail, worker.leave to aima_worker;
grant execute on function check_step, open_worker_login, close_worker_login, release_jobs, result_parts to aima_functions;
