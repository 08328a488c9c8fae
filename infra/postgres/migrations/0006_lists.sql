-- Ascending in every column: only then is (user_id, state, job_id) < (…) one range of the index,
-- which is how functions/core/jobs/list.ts asks.
drop index jobs_of_user, jobs_of_user_by_state;
create index jobs_of_user on jobs (user_id, job_id);
create index jobs_of_user_by_state on jobs (user_id, state, job_id);
