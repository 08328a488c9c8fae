-- More kinds of results (functions/core/results/rows.ts): voices and speakers, moderation, pictures by which
-- others like them are found, silence and black and frozen pictures, loudness.

create table voices (
  job_id ulid not null, analyzer text not null, from_ms integer not null, ordinal integer not null,
  turn_id text not null, start_ms integer not null, end_ms integer not null,
  embedding bytea not null, embedding_space text not null,
  primary key (job_id, analyzer, from_ms, ordinal),
  foreign key (job_id, analyzer, from_ms) references parts on delete cascade
);

create table speakers (
  job_id ulid not null, analyzer text not null, from_ms integer not null, ordinal integer not null,
  speaker_id text not null, start_ms integer not null, end_ms integer not null,
  cohesion real, turn_ids text[] not null,
  primary key (job_id, analyzer, from_ms, ordinal),
  foreign key (job_id, analyzer, from_ms) references parts on delete cascade
);

create table moderation (
  job_id ulid not null, analyzer text not null, from_ms integer not null, ordinal integer not null,
  category text not null, start_ms integer not null, end_ms integer not null, confidence real,
  primary key (job_id, analyzer, from_ms, ordinal),
  foreign key (job_id, analyzer, from_ms) references parts on delete cascade
);

create table pictures (
  job_id ulid not null, analyzer text not null, from_ms integer not null, ordinal integer not null,
  picture_id text not null, start_ms integer not null, end_ms integer not null, keyframe_ms integer not null,
  perceptual_hash bit(64) not null, embedding bytea, embedding_space text, sketch bit(512), thumbnail text,
  primary key (job_id, analyzer, from_ms, ordinal),
  foreign key (job_id, analyzer, from_ms) references parts on delete cascade
);

create table signals (
  job_id ulid not null, analyzer text not null, from_ms integer not null, ordinal integer not null,
  signal text not null, start_ms integer not null, end_ms integer not null,
  primary key (job_id, analyzer, from_ms, ordinal),
  foreign key (job_id, analyzer, from_ms) references parts on delete cascade
);

create table loudness (
  job_id ulid not null, analyzer text not null, from_ms integer not null, ordinal integer not null,
  start_ms integer not null, end_ms integer not null, step_ms integer not null,
  momentary_lufs real[] not null, peaks real[] not null,
  primary key (job_id, analyzer, from_ms, ordinal),
  foreign key (job_id, analyzer, from_ms) references parts on delete cascade
);

-- As before, with the new kinds.
create or replace function save_rows(p_job_id text, p_analyzer text, p_from_ms integer, p_to_ms integer, p_fence bigint, p_rows jsonb)
returns void language plpgsql set search_path = public, pg_temp as $$
declare kinds text[];
begin
  delete from parts where job_id = p_job_id and analyzer = p_analyzer and from_ms = p_from_ms;
  insert into parts (job_id, analyzer, from_ms, to_ms, fence) values (p_job_id, p_analyzer, p_from_ms, p_to_ms, p_fence);
  select array_agg(distinct value ->> 'kind') into kinds from jsonb_array_elements(p_rows);
  if 'segment' = any (kinds) then
    insert into segments
      select p_job_id, p_analyzer, p_from_ms, n, (r ->> 'startMs')::integer, (r ->> 'endMs')::integer, r ->> 'text',
             r ->> 'language', (r ->> 'confidence')::real, r ->> 'speakerId'
      from jsonb_array_elements(p_rows) with ordinality as x (r, n) where r ->> 'kind' = 'segment';
    insert into words
      select p_job_id, p_analyzer, p_from_ms, x.n, y.n, (w ->> 'startMs')::integer, (w ->> 'endMs')::integer, w ->> 'text',
             (w ->> 'confidence')::real
      from jsonb_array_elements(p_rows) with ordinality as x (r, n),
           jsonb_array_elements(r -> 'words') with ordinality as y (w, n) where r ->> 'kind' = 'segment';
  end if;
  if 'text' = any (kinds) then
    insert into texts
      select p_job_id, p_analyzer, p_from_ms, n, r ->> 'textId', (r ->> 'startMs')::integer, (r ->> 'endMs')::integer,
             r ->> 'text', (r ->> 'confidence')::real, r -> 'quad'
      from jsonb_array_elements(p_rows) with ordinality as x (r, n) where r ->> 'kind' = 'text';
  end if;
  if 'scene' = any (kinds) then
    insert into scenes
      select p_job_id, p_analyzer, p_from_ms, n, r ->> 'sceneId', (r ->> 'startMs')::integer, (r ->> 'endMs')::integer,
             (r ->> 'score')::real, (r ->> 'keyframeMs')::integer, r ->> 'thumbnail'
      from jsonb_array_elements(p_rows) with ordinality as x (r, n) where r ->> 'kind' = 'scene';
  end if;
  if 'object' = any (kinds) then
    insert into objects
      select p_job_id, p_analyzer, p_from_ms, n, r ->> 'trackId', r ->> 'label', (r ->> 'classId')::integer,
             (r ->> 'startMs')::integer, (r ->> 'endMs')::integer, (r ->> 'confidence')::real, r -> 'samples'
      from jsonb_array_elements(p_rows) with ordinality as x (r, n) where r ->> 'kind' = 'object';
  end if;
  if 'face' = any (kinds) then
    insert into faces
      select p_job_id, p_analyzer, p_from_ms, n, r ->> 'trackId', (r ->> 'startMs')::integer, (r ->> 'endMs')::integer,
             (r ->> 'confidence')::real, r -> 'samples', decode(r ->> 'embedding', 'base64'), r ->> 'embeddingSpace', r ->> 'thumbnail'
      from jsonb_array_elements(p_rows) with ordinality as x (r, n) where r ->> 'kind' = 'face';
  end if;
  if 'person' = any (kinds) then
    insert into people
      select p_job_id, p_analyzer, p_from_ms, n, r ->> 'personId', (r ->> 'startMs')::integer, (r ->> 'endMs')::integer,
             (r ->> 'cohesion')::real, array(select jsonb_array_elements_text(r -> 'trackIds'))
      from jsonb_array_elements(p_rows) with ordinality as x (r, n) where r ->> 'kind' = 'person';
  end if;
  if 'voice' = any (kinds) then
    insert into voices
      select p_job_id, p_analyzer, p_from_ms, n, r ->> 'turnId', (r ->> 'startMs')::integer, (r ->> 'endMs')::integer,
             decode(r ->> 'embedding', 'base64'), r ->> 'embeddingSpace'
      from jsonb_array_elements(p_rows) with ordinality as x (r, n) where r ->> 'kind' = 'voice';
  end if;
  if 'speaker' = any (kinds) then
    insert into speakers
      select p_job_id, p_analyzer, p_from_ms, n, r ->> 'speakerId', (r ->> 'startMs')::integer, (r ->> 'endMs')::integer,
             (r ->> 'cohesion')::real, array(select jsonb_array_elements_text(r -> 'turnIds'))
      from jsonb_array_elements(p_rows) with ordinality as x (r, n) where r ->> 'kind' = 'speaker';
  end if;
  if 'moderation' = any (kinds) then
    insert into moderation
      select p_job_id, p_analyzer, p_from_ms, n, r ->> 'category', (r ->> 'startMs')::integer, (r ->> 'endMs')::integer,
             (r ->> 'confidence')::real
      from jsonb_array_elements(p_rows) with ordinality as x (r, n) where r ->> 'kind' = 'moderation';
  end if;
  if 'picture' = any (kinds) then
    insert into pictures
      select p_job_id, p_analyzer, p_from_ms, n, r ->> 'pictureId', (r ->> 'startMs')::integer, (r ->> 'endMs')::integer,
             (r ->> 'keyframeMs')::integer, ('x' || (r ->> 'perceptualHash'))::bit(64), decode(r ->> 'embedding', 'base64'),
             r ->> 'embeddingSpace', ('x' || (r ->> 'sketch'))::bit(512), r ->> 'thumbnail'
      from jsonb_array_elements(p_rows) with ordinality as x (r, n) where r ->> 'kind' = 'picture';
  end if;
  if 'signal' = any (kinds) then
    insert into signals
      select p_job_id, p_analyzer, p_from_ms, n, r ->> 'signal', (r ->> 'startMs')::integer, (r ->> 'endMs')::integer
      from jsonb_array_elements(p_rows) with ordinality as x (r, n) where r ->> 'kind' = 'signal';
  end if;
  if 'loudness' = any (kinds) then
    insert into loudness
      select p_job_id, p_analyzer, p_from_ms, n, (r ->> 'startMs')::integer, (r ->> 'endMs')::integer, (r ->> 'stepMs')::integer,
             array(select jsonb_array_elements_text(r -> 'momentaryLufs')::real),
             array(select jsonb_array_elements_text(r -> 'peaks')::real)
      from jsonb_array_elements(p_rows) with ordinality as x (r, n) where r ->> 'kind' = 'loudness';
  end if;
end $$;

-- As before, with the new kinds.
create or replace function result_parts(p_job_id text, p_kinds text[] default null)
returns table (analyzer text, from_ms integer, to_ms integer, rows jsonb)
language sql stable set search_path = public, pg_temp as $$
  select p.analyzer, p.from_ms, p.to_ms, coalesce((
    select jsonb_agg(r.row order by r.start_ms, r.ordinal) from (
      select s.start_ms, s.ordinal, jsonb_build_object('kind', 'segment', 'startMs', s.start_ms, 'endMs', s.end_ms,
        'text', s.text, 'language', s.language, 'confidence', s.confidence, 'speakerId', s.speaker_id,
        'words', coalesce((
          select jsonb_agg(jsonb_build_object('startMs', w.start_ms, 'endMs', w.end_ms, 'text', w.text,
            'confidence', w.confidence) order by w.ordinal)
          from words w where (w.job_id, w.analyzer, w.from_ms, w.segment_ordinal) = (s.job_id, s.analyzer, s.from_ms, s.ordinal)
        ), '[]')) as row
      from segments s where (s.job_id, s.analyzer, s.from_ms) = (p.job_id, p.analyzer, p.from_ms)
      union all
      select t.start_ms, t.ordinal, jsonb_build_object('kind', 'text', 'textId', t.text_id, 'startMs', t.start_ms,
        'endMs', t.end_ms, 'text', t.text, 'confidence', t.confidence, 'quad', t.quad)
      from texts t where (t.job_id, t.analyzer, t.from_ms) = (p.job_id, p.analyzer, p.from_ms)
      union all
      select c.start_ms, c.ordinal, jsonb_build_object('kind', 'scene', 'sceneId', c.scene_id, 'startMs', c.start_ms,
        'endMs', c.end_ms, 'score', c.score, 'keyframeMs', c.keyframe_ms, 'thumbnail', c.thumbnail)
      from scenes c where (c.job_id, c.analyzer, c.from_ms) = (p.job_id, p.analyzer, p.from_ms)
      union all
      select o.start_ms, o.ordinal, jsonb_build_object('kind', 'object', 'trackId', o.track_id, 'label', o.label,
        'classId', o.class_id, 'startMs', o.start_ms, 'endMs', o.end_ms, 'confidence', o.confidence, 'samples', o.samples)
      from objects o where (o.job_id, o.analyzer, o.from_ms) = (p.job_id, p.analyzer, p.from_ms)
      union all
      select f.start_ms, f.ordinal, jsonb_build_object('kind', 'face', 'trackId', f.track_id, 'startMs', f.start_ms,
        'endMs', f.end_ms, 'confidence', f.confidence, 'samples', f.samples,
        'embedding', translate(encode(f.embedding, 'base64'), E'\n', ''), 'embeddingSpace', f.embedding_space,
        'thumbnail', f.thumbnail)
      from faces f where (f.job_id, f.analyzer, f.from_ms) = (p.job_id, p.analyzer, p.from_ms)
      union all
      select q.start_ms, q.ordinal, jsonb_build_object('kind', 'person', 'personId', q.person_id, 'startMs', q.start_ms,
        'endMs', q.end_ms, 'cohesion', q.cohesion, 'trackIds', q.track_ids)
      from people q where (q.job_id, q.analyzer, q.from_ms) = (p.job_id, p.analyzer, p.from_ms)
      union all
      select v.start_ms, v.ordinal, jsonb_build_object('kind', 'voice', 'turnId', v.turn_id, 'startMs', v.start_ms,
        'endMs', v.end_ms, 'embedding', translate(encode(v.embedding, 'base64'), E'\n', ''), 'embeddingSpace', v.embedding_space)
      from voices v where (v.job_id, v.analyzer, v.from_ms) = (p.job_id, p.analyzer, p.from_ms)
      union all
      select k.start_ms, k.ordinal, jsonb_build_object('kind', 'speaker', 'speakerId', k.speaker_id, 'startMs', k.start_ms,
        'endMs', k.end_ms, 'cohesion', k.cohesion, 'turnIds', k.turn_ids)
      from speakers k where (k.job_id, k.analyzer, k.from_ms) = (p.job_id, p.analyzer, p.from_ms)
      union all
      select m.start_ms, m.ordinal, jsonb_build_object('kind', 'moderation', 'category', m.category, 'startMs', m.start_ms,
        'endMs', m.end_ms, 'confidence', m.confidence)
      from moderation m where (m.job_id, m.analyzer, m.from_ms) = (p.job_id, p.analyzer, p.from_ms)
      union all
      select i.start_ms, i.ordinal, jsonb_build_object('kind', 'picture', 'pictureId', i.picture_id, 'startMs', i.start_ms,
        'endMs', i.end_ms, 'keyframeMs', i.keyframe_ms, 'perceptualHash', lpad(to_hex(i.perceptual_hash::bigint), 16, '0'),
        'embedding', translate(encode(i.embedding, 'base64'), E'\n', ''), 'embeddingSpace', i.embedding_space,
        'sketch', (select string_agg(lpad(to_hex(substring(i.sketch from at for 64)::bit(64)::bigint), 16, '0'), '' order by at)
                   from generate_series(1, 449, 64) at),
        'thumbnail', i.thumbnail)
      from pictures i where (i.job_id, i.analyzer, i.from_ms) = (p.job_id, p.analyzer, p.from_ms)
      union all
      select g.start_ms, g.ordinal, jsonb_build_object('kind', 'signal', 'signal', g.signal, 'startMs', g.start_ms,
        'endMs', g.end_ms)
      from signals g where (g.job_id, g.analyzer, g.from_ms) = (p.job_id, p.analyzer, p.from_ms)
      union all
      select l.start_ms, l.ordinal, jsonb_build_object('kind', 'loudness', 'startMs', l.start_ms, 'endMs', l.end_ms,
        'stepMs', l.step_ms, 'momentaryLufs', l.momentary_lufs, 'peaks', l.peaks)
      from loudness l where (l.job_id, l.analyzer, l.from_ms) = (p.job_id, p.analyzer, p.from_ms)
    ) r where p_kinds is null or r.row ->> 'kind' = any (p_kinds)
  ), '[]')
  from parts p where p.job_id = p_job_id order by p.analyzer, p.from_ms
$$;
