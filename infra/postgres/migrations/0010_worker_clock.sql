-- How long the caller's lease has yet, by this server's clock: a rented machine's own may be wrong by
-- any amount. The worker asks for it together with hello and with each heartbeat.
create function worker.remaining_ms()
returns double precision language sql stable security definer set search_path = public, pg_temp as $$
  select extract(epoch from deadline_at - clock_timestamp())::float8 * 1000
  from instances where instance_id = substr(session_user, length('aima_worker_') + 1)
$$;

revoke execute on function worker.remaining_ms from public;
grant execute on function worker.remaining_ms to aima_worker;
