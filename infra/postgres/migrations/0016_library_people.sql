-- People of a library: who of one medium is who of another (functions/core/people/). A person of the library
-- consists of persons of media; what it knows of a face is the mean of each of those. It is made only where
-- faces were asked for by name, and only while its owner has not switched it off.

alter table users add column people_off boolean not null default false;

create table library_people (
  library_person_id ulid primary key,
  user_id    ulid not null references users,
  name       text, -- given by hand
  is_hidden  boolean not null default false,
  created_at timestamptz not null default now()
);
create index library_people_of_user on library_people (user_id);

create table library_people_members (
  job_id            ulid not null references jobs on delete cascade,
  person_id         text not null, -- in the document of that job
  library_person_id ulid not null references library_people on delete cascade,
  embedding         bytea not null, -- of length 1, compared within one space only
  embedding_space   text not null,
  thumbnail         text,           -- the best of that job's pictures of them
  quality           real not null,
  primary key (job_id, person_id)
);
create index library_people_members_of_person on library_people_members (library_person_id);

-- Nobody is left of whom no medium is: a job that is deleted takes its part with it, a name as well.
create function drop_empty_people() returns trigger language plpgsql as $$
begin
  delete from library_people p where library_person_id in (select library_person_id from gone)
    and not exists (select from library_people_members m where m.library_person_id = p.library_person_id);
  return null;
end $$;
create trigger library_people_left after delete on library_people_members
  referencing old table as gone for each statement execute function drop_empty_people();

-- A kept document with what its people are called now.
create function with_library_people(p_job_id text, p_document jsonb) returns jsonb language sql stable as $$
  select case when jsonb_typeof(p_document -> 'people') = 'array' then
    jsonb_set(p_document, '{people}', (
      select coalesce(jsonb_agg(person || jsonb_build_object('libraryPersonId', m.library_person_id, 'name', l.name) order by n), '[]')
      from jsonb_array_elements(p_document -> 'people') with ordinality as x (person, n)
        left join library_people_members m on m.job_id = p_job_id and m.person_id = person ->> 'personId'
        left join library_people l using (library_person_id)))
    else p_document end
$$;
grant execute on function with_library_people to aima_functions;
