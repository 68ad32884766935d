-- Jobs of pg-boss, as insert() leaves them.
insert into pgboss.job (name, data, start_after)
select 'bench', jsonb_build_object('due', extract(epoch from d.at) * 1000), d.at
from (
  select {first}::timestamptz + ({last}::timestamptz - {first}::timestamptz) * (n / {rows}::float8) as at
  from generate_series(1, {rows}) n
) d;
