-- What is to go from the object store. A row is written in the transaction that deletes the job, so
-- that nothing is lost track of however the process ends, and it stays until the object is gone and
-- no address that was signed before can bring it back (functions/core/jobs/deletions.ts).
create table deletions (
  key          text not null,    -- of an object, or what the keys of several begin with
  is_prefix    boolean not null,
  media_id     ulid references media on delete set null, -- the medium that goes with its object
  signed_until timestamptz,      -- null: nobody was given an address to write there
  tries        integer not null default 0,
  next_try_at  timestamptz not null default now(),
  primary key (key, is_prefix)
);
create index deletions_due on deletions (next_try_at);
create index deletions_of_media on deletions (media_id) where media_id is not null;
