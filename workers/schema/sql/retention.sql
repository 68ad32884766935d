-- What is kept, for how long and why, one row per relation: the rows of docs/RETENTION.md.
select d.kind, d.schema_name, d.relation,
  string_agg(distinct d.category, ', ' order by d.category) filter (where d.category <> 'system.operations') as categories,
  min(d.purpose) as purpose, min(d.lawful_basis) as lawful_basis, min(d.retain_for)::text as retain_for, min(d.anchor) as anchor,
  string_agg(distinct d.erase_action, ', ' order by d.erase_action) as erasure, min(d.export_name) as export_name,
  bool_and(d.is_optional) as is_optional
from private.data_catalogue d
where d.kind <> 'schema'
group by d.kind, d.schema_name, d.relation
having bool_or(d.category <> 'system.operations') or d.kind in ('log', 'backup', 'external')
order by array_position(array['column', 'bucket', 'queue', 'log', 'backup', 'external'], d.kind), d.schema_name, d.relation
