-- Instances: one rented machine each, a lease with a price, a deadline and an owner. The states
-- are told in functions/core/instances/states.ts.

create sequence fences;

create table instances (
  instance_id                 ulid primary key,
  label                       text not null unique, -- the machine's name at the provider
  provider                    text not null,
  state                       text not null,
  reason                      text, -- why it is terminating: done, canceled, boot_timeout, lost_contact, …
  offer                       jsonb not null, -- what was taken, as the provider offered it
  price_microdollars_per_hour bigint not null,
  provider_instance_id        text,
  fence                       bigint not null default 0, -- of the worker program that may write; 0: none said hello
  requested_at                timestamptz not null default clock_timestamp(),
  created_at                  timestamptz, -- the provider said that it exists
  ready_at                    timestamptz, -- the worker's first heartbeat
  heartbeat_at                timestamptz,
  deadline_at                 timestamptz not null,
  terminating_at              timestamptz,
  terminate_asked_at          timestamptz, -- when the provider was first asked to end it
  terminate_tries             integer not null default 0,
  next_look_at                timestamptz, -- terminating, in_doubt: when to ask or read again
  gone_reads                  smallint not null default 0, -- reads in a row that answered "no such"
  vanished_reads              smallint not null default 0, -- the same for a machine that we did not end
  terminated_at               timestamptz,
  cost_microdollars           bigint not null default 0,
  worker                      jsonb, -- what the worker said of itself: version, device, CPUs, load time
  unique (provider, provider_instance_id)
);
create index instances_live on instances (state) where state <> 'terminated';
create index instances_by_end on instances (terminated_at) where state = 'terminated';

alter table jobs add foreign key (instance_id) references instances;

create function step_instance() returns trigger language plpgsql as $$
begin
  perform check_step('instance', coalesce(old.state, ''), new.state);
  case new.state
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

create trigger instances_insert before insert on instances for each row execute function step_instance();
create trigger instances_step before update of state on instances for each row
  when (old.state is distinct from new.state) execute function step_instance();

-- Every time a worker began a job, and what became of it.
create table attempts (
  job_id            ulid not null references jobs on delete cascade,
  attempt           smallint not null,
  instance_id       ulid not null, -- of instances, of which none is ever deleted: a reference would only cost each claim a look
  fence             bigint not null,
  started_at        timestamptz not null default clock_timestamp(),
  ended_at          timestamptz,
  outcome           text check (outcome in ('succeeded', 'failed', 'canceled', 'lost')),
  error_code        text,
  error_detail      text,
  cost_microdollars bigint,
  primary key (job_id, attempt)
);

-- What a worker needs to reach the medium and keep pictures: signed when the job is assigned,
-- renewed by the sweep, handed out to the worker that holds the job, and to nobody else.
create table job_access (
  job_id      ulid primary key references jobs on delete cascade,
  get_url     text not null,
  post_url    text not null,
  post_fields jsonb not null,
  expires_at  timestamptz not null
);
