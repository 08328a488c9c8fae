-- Media on their way in. next_look_at is set as long as one is awaited, for the sweep: when to see
-- whether its object has come although no event said so, or (with a source_url) when the next step
-- of fetching it is due. looks counts them, and fences the steps of a fetch.
alter table media
  add column source_url   text,
  add column fetch_state  jsonb, -- how far fetching has come: FetchState in functions/core/intake/transfer.ts
  add column looks        integer not null default 0,
  add column next_look_at timestamptz;

-- Without the media that have come, so it stays as small as what is awaited.
create index media_awaited on media (next_look_at) where next_look_at is not null;
