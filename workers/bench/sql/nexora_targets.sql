-- Scheduled targets, each post on both accounts of its author, as schedule_post leaves them.
-- Parameters: rows (even), first and last due time. People schedule in another order than what they schedule becomes due
-- in: ids, which tell when a row came to be, are given in a random order of due times.
with due as materialized (
  select s.n, private.time_ordered_id() as post_id,
         {first}::timestamptz + ({last}::timestamptz - {first}::timestamptz) * (s.n / ({rows} / 2.0)) as at
  from (select n from generate_series(1, {rows} / 2) n order by random()) s
), people as materialized (
  select u.id, row_number() over (order by u.id) - 1 as number, count(*) over () as count from auth.users u
), post as (
  insert into public.posts (id, user_id, body)
  select d.post_id, p.id, 'A post of about the usual length, number ' || d.n || ', with a link https://example.org/a/page'
  from due d join people p on p.number = d.n % p.count
  returning id, user_id
), target as (
  insert into public.post_targets (user_id, post_id, connection_id, platform_id, state, scheduled_at, tolerance,
                                   revision, checked_at)
  select p.user_id, p.id, c.id, c.platform_id, 'scheduled', d.at, interval '7 days', 1, now()
  from due d join post p on p.id = d.post_id join public.connections c on c.user_id = p.user_id
  order by p.id
  returning id, scheduled_at, scheduled_at + tolerance as expires_at
)
insert into private.queue (lane, subject_id, due_at, expires_at)
select 'publish', t.id, t.scheduled_at, t.expires_at from target t order by t.id;
