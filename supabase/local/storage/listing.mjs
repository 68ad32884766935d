// Lists a folder the way the hosted `storage.search` does: names relative to the prefix, sub-folders as rows without id.

const COLUMNS = new Set(["name", "updated_at", "created_at", "last_accessed_at"]);

export function list({ db, bucket, body }) {
  const given = body.prefix ?? "";
  const prefix = given && !given.endsWith("/") ? `${given}/` : given;
  const column = COLUMNS.has(body.sortBy?.column) ? body.sortBy.column : "name";
  const limit = Math.min(body.limit ?? 100, 1500);
  return db.asCaller((sql) => {
    const direction = body.sortBy?.order === "desc" ? sql`desc` : sql`asc`;
    // Sorted by name, folders and files mix; by anything else, folders come first, as they have nothing else.
    const order =
      column === "name" ? sql`lower(name) collate "C" ${direction}` : sql`id is not null, ${sql(column)} ${direction}, name`;
    return sql`
      with found as (
        select substr(name, length(${prefix}) + 1) as rest, id, updated_at, created_at, last_accessed_at, metadata
        from storage.objects
        where bucket_id = ${bucket} and starts_with(lower(name), lower(${prefix + (body.search ?? "")}))
      ), entries as (
        select split_part(rest, '/', 1) as name, null::uuid as id, null::timestamptz as updated_at,
               null::timestamptz as created_at, null::timestamptz as last_accessed_at, null::jsonb as metadata
        from found where position('/' in rest) > 0 group by 1
        union all
        select rest, id, updated_at, created_at, last_accessed_at, metadata from found where position('/' in rest) = 0
      )
      select * from entries order by ${order} limit ${limit} offset ${body.offset ?? 0}`;
  });
}
