-- Nothing is computed twice (functions/core/submit/reuse.ts): a job takes over what an earlier job of the same
-- owner found in the same content, and only what is left runs.

alter table jobs
  add column reuse  boolean not null default true,  -- false: somebody wants it computed anew
  add column reused jsonb   not null default '[]';  -- what was taken over: AnalyzerRun with reusedFrom, functions/core/results/run.ts

-- Of the same content of one owner; and what ran last, which says what is current.
create index media_of_content on media (user_id, etag, size_bytes) where etag is not null;
create index jobs_ran on jobs (finished_at desc) where state = 'succeeded' and attempt > 0;

-- What a worker is to do. Technical data are no work of their own: whoever analyses reports them, and what was
-- taken over has brought them.
create function analyses_left(p_job jobs) returns text[] language sql stable as $$
  select case when p_job.reused = '[]' then p_job.analyses else array(
    select name from unnest(p_job.analyses) with ordinality as x (name, n)
    where name <> 'metadata' and not exists (select from jsonb_array_elements(p_job.reused) r where r ->> 'name' = name)
    order by n) end
$$;
grant execute on function analyses_left to aima_functions;

-- As before; a worker is told of what is left to do.
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
    select jsonb_build_object('jobId', job.job_id, 'fence', job.fence, 'attempt', job.attempt, 'analyses', analyses_left(job),
      'options', job.options,
      'range', case when job.parent_job_id is not null then jsonb_build_object(
        'fromMs', greatest(0, job.piece_from_ms - job.overlap_ms), 'toMs', job.piece_to_ms + job.overlap_ms) end,
      'resultPrefix', a.result_prefix,
      'medium', jsonb_build_object('name', m.name, 'contentType', m.content_type, 'sizeBytes', m.size_bytes, 'kind', m.kind),
      'access', case when a.job_id is not null then jsonb_build_object('getUrl', a.get_url, 'postUrl', a.post_url,
        'postFields', a.post_fields, 'expiresAt', a.expires_at) end)
    from media m left join job_access a on a.job_id = job.job_id where m.media_id = job.media_id);
end $$;
