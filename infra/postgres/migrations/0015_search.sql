-- Full-text search over what was said, what could be read and how files are called
-- (functions/core/results/search.ts).
--
-- No extension is needed, since a database that somebody else runs may have none: letters lose their
-- accents by Unicode's own decomposition, which covers more than `unaccent` does. The configuration is
-- `simple`: a library has many languages, and a stemmer of the wrong one loses words.
--
-- Measured with 1,000,000 words in 100,000 utterances of 1,000 jobs, two busy cores, Postgres 18: a rare word or a
-- phrase 5 to 15 ms, a word of every tenth utterance 0.2 s, the beginning of a word that is in every utterance
-- 1 s. The columns take 14 MB and the index 9 MB, where the text itself has 6 MB and its words with their times 90.

-- As functions/core/results/search/tokens.ts does it, with spaces for all that is neither letter nor digit.
create function search_fold(p_text text) returns text
language sql immutable strict parallel safe as $$
  select pg_catalog.regexp_replace(
    pg_catalog.replace(pg_catalog.translate(pg_catalog.lower(
      pg_catalog.regexp_replace(normalize(pg_catalog."left"(p_text, 20000), nfkd), '[\u0300-\u036f]+', '', 'g')),
      'øłđ', 'old'), 'ß', 'ss'),
    '[\u0001-\u002f\u003a-\u0040\u005b-\u0060\u007b-\u00bf\u00d7\u00f7\u2000-\u206f\u2190-\u2bff\u3000-\u3003\u3008-\u3020\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65]+',
    ' ', 'g')
$$;

create function search_vector(p_text text) returns tsvector
language sql immutable strict parallel safe as $$
  select pg_catalog.to_tsvector('pg_catalog.simple', public.search_fold(p_text))
$$;
grant execute on function search_fold, search_vector to aima_functions;

-- Stored, so that neither a phrase nor a rank has to take the text apart again.
alter table segments add column search tsvector generated always as (public.search_vector(text)) stored;
alter table texts add column search tsvector generated always as (public.search_vector(text)) stored;
alter table media add column search tsvector generated always as (public.search_vector(name)) stored;
create index segments_search on segments using gin (search);
create index texts_search on texts using gin (search);
create index media_search on media using gin (search);
