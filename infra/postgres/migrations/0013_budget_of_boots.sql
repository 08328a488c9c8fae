-- A job's own limit holds while its machine boots and loads, too: a machine that is slow to come costs money.

-- As before; a worker that speaks has it checked every ten seconds, of any other only the sweep looks, every half minute.
create or replace function check_budget(p_job_id text) returns void language plpgsql set search_path = public, pg_temp as $$
declare most bigint; spent bigint; soon bigint;
begin
  select max_cost_microdollars, price_of(price_microdollars_per_hour,
    case when heartbeat_at > clock_timestamp() - interval '20 seconds' then 20000 else 40000 end) into most, soon
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

-- As before, and of jobs that wait for the worker as well.
create or replace function worker.heartbeat(p_fence bigint)
returns jsonb language plpgsql security definer set search_path = public, pg_temp as $$
declare lease instances := worker.own_lease(p_fence);
begin
  perform worker.unhurried();
  perform check_budget(job_id) from jobs
  where instance_id = lease.instance_id and state in ('assigned', 'running') and max_cost_microdollars is not null;
  update instances set heartbeat_at = clock_timestamp() where instance_id = lease.instance_id;
  return jsonb_build_object('deadlineAt', lease.deadline_at, 'jobs', coalesce(
    (select jsonb_agg(job_id) from jobs where instance_id = lease.instance_id and state = 'running'), '[]'));
end $$;
