-- Messages of pgmq, as send() with a delay leaves them.
insert into pgmq.q_bench (vt, message, last_read_at)
select d.at, jsonb_build_object('due', extract(epoch from d.at) * 1000), null
from (
  select {first}::timestamptz + ({last}::timestamptz - {first}::timestamptz) * (n / {rows}::float8) as at
  from generate_series(1, {rows}) n
) d;
