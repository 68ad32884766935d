-- Jobs of graphile-worker, as add_jobs() leaves them.
with task as (
  insert into graphile_worker._private_tasks (identifier) values ('job')
  on conflict (identifier) do update set identifier = excluded.identifier returning id
), due as (
  select {first}::timestamptz + ({last}::timestamptz - {first}::timestamptz) * (n / {rows}::float8) as at
  from generate_series(1, {rows}) n
)
insert into graphile_worker._private_jobs (task_id, payload, run_at)
select t.id, json_build_object('due', extract(epoch from d.at) * 1000), d.at from due d, task t;
