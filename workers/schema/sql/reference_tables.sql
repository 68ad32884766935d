-- The tables that may hold reference rows: name, columns with a meaning, primary key. A column whose default
-- differs from run to run (parameter volatile) says when or which, not what.
select c.oid::regclass::text as name,
  array(select a.attname::text from pg_attribute a left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
        where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attidentity = '' and a.attgenerated = ''
          and coalesce(pg_get_expr(d.adbin, d.adrelid), '') !~ %(volatile)s
        order by a.attnum) as columns,
  array(select a.attname::text from pg_index i join pg_attribute a on a.attrelid = c.oid and a.attnum = any(i.indkey)
        where i.indrelid = c.oid and i.indisprimary order by a.attnum) as key
from pg_class c
where (c.relnamespace = any(%(namespaces)s::oid[]) or c.oid = to_regclass('storage.buckets'))
  and c.relkind in ('r', 'p') and not c.relispartition
order by 1
