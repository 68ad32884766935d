-- Jobs of procrastinate, as deferring them leaves them.
insert into procrastinate_jobs (queue_name, task_name, args, scheduled_at)
select 'default', 'job', jsonb_build_object('due', extract(epoch from d.at) * 1000), d.at
from (
  select {first}::timestamptz + ({last}::timestamptz - {first}::timestamptz) * (n / {rows}::float8) as at
  from generate_series(1, {rows}) n
) d;
