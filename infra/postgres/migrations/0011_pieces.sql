-- Pieces: a long medium cut over several instances (functions/core/jobs/split.ts). A piece is a job of
-- its own beside the one it was cut from, with a stretch of the medium that it owns; it is analysed
-- with some of its neighbours' time around it, so that what lies at a cut is seen from both sides.

alter table jobs
  add column parent_job_id ulid references jobs on delete cascade,
  add column piece         smallint, -- 1, 2, …; null in a piece: of an earlier cut, of which only the cost counts
  add column piece_from_ms integer,  -- what it owns: [from, to)
  add column piece_to_ms   integer,
  add column overlap_ms    integer,  -- analysed beyond that, on both sides
  add check ((parent_job_id is null) = (piece_to_ms is null) and (piece is null or parent_job_id is not null)),
  add check (num_nulls(piece_from_ms, piece_to_ms, overlap_ms) in (0, 3) and piece_from_ms < piece_to_ms);
create unique index jobs_pieces on jobs (parent_job_id, piece) where parent_job_id is not null;
create index jobs_split on jobs (job_id) where state = 'split';

-- As before; a job that is sent back as a cut one begins anew as well.
create or replace function step_job() returns trigger language plpgsql as $$
begin
  perform check_step('job', coalesce(old.state, ''), new.state);
  case new.state
    when 'queued', 'split' then
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

-- Pieces keep their pictures in a folder of the whole job, so a worker is told where.
alter table job_access add column result_prefix text;
update job_access set result_prefix = 'results/' || job_id || '/';
alter table job_access alter column result_prefix set not null;

-- How far a job is that was cut: by the length of what each piece owns.
create function pieces_progress(p_job_id text) returns real language sql stable as $$
  select coalesce(sum(progress * (piece_to_ms - piece_from_ms)) / sum(piece_to_ms - piece_from_ms), 0)::real
  from jobs where parent_job_id = p_job_id and piece is not null
$$;

-- As before, and what its pieces cost is its own cost too.
create or replace function job_cost(p_job_id text) returns bigint language sql stable as $$
  with bearing as (
    select p_job_id as job_id union all select job_id from jobs where parent_job_id = p_job_id
  )
  select (
    coalesce((select sum(microdollars) from charges where job_id in (select job_id from bearing)), 0)
    + coalesce((
      select sum(ceil(time_cost(i, clock_timestamp()) * s.weight / s.whole))
      from instances i cross join lateral instance_shares(i) s
      where i.state <> 'terminated' and s.job_id in (select job_id from bearing)
        and (i.rented_for in (select job_id from bearing)
          or i.instance_id in (select instance_id from attempts where job_id in (select job_id from bearing)))), 0)
    + coalesce((
      select sum(traffic_cost(a)) from attempts a join instances i using (instance_id)
      where a.job_id in (select job_id from bearing) and i.state <> 'terminated'), 0)
  )::bigint
$$;

-- As before; a piece is told which stretch to analyse, and every job where its pictures go.
create or replace function worker.claim(p_fence bigint, p_again boolean default false)
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
      'range', case when job.parent_job_id is not null then jsonb_build_object(
        'fromMs', greatest(0, job.piece_from_ms - job.overlap_ms), 'toMs', job.piece_to_ms + job.overlap_ms) end,
      'resultPrefix', (select a.result_prefix from job_access a where a.job_id = job.job_id),
      'medium', jsonb_build_object('name', m.name, 'contentType', m.content_type, 'sizeBytes', m.size_bytes, 'kind', m.kind),
      'access', (select jsonb_build_object('getUrl', a.get_url, 'postUrl', a.post_url, 'postFields', a.post_fields,
                                           'expiresAt', a.expires_at)
                 from job_access a where a.job_id = job.job_id))
    from media m where m.media_id = job.media_id);
end $$;

-- What worker.save_part did itself: writes a part, in place of an earlier one that began there.
create function save_rows(p_job_id text, p_analyzer text, p_from_ms integer, p_to_ms integer, p_fence bigint, p_rows jsonb)
returns void language plpgsql set search_path = public, pg_temp as $$
declare kinds text[];
begin
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

create or replace function worker.save_part(p_fence bigint, p_job_id text, p_analyzer text, p_from_ms integer, p_to_ms integer, p_rows jsonb)
returns void language plpgsql security definer set search_path = public, pg_temp as $$
declare job jobs := worker.own_job(p_fence, p_job_id);
begin
  if p_analyzer <> all (job.analyses) then raise exception 'analysis % was not asked for', p_analyzer; end if;
  if jsonb_typeof(p_rows) <> 'array' or length(p_rows::text) > 32000000 then raise exception 'not a part'; end if;
  perform save_rows(p_job_id, p_analyzer, p_from_ms, p_to_ms, p_fence, p_rows);
end $$;

grant execute on function pieces_progress, save_rows to aima_functions;
