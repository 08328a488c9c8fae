-- What a person may wish of a job's time and money, what it was said to cost, and when it should begin.

alter table jobs
  add column deadline_at            timestamptz, -- when its result is wanted: a wish that the planner pays for
  add column quote                  jsonb,       -- Quote in functions/core/planner/quote.ts: at the first look after it was queued
  add column confirmed_microdollars bigint,      -- the most of the quote that a person agreed to; null: nobody was asked or answered
  add column expected_start_at      timestamptz; -- as the planner saw it last
