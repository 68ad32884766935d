-- What this context holds, for the data catalogue; schema storage among it, whose columns differ from stack to stack.

select private.register_data('public.scripts', 'user_id', 'features', 'delete_row',
  '{"user.unique_id": "id user_id", "user.content": "title body", "system.operations": "created_at updated_at"}', 'scripts');
select private.register_data('public.posts', 'user_id', 'features', 'delete_row',
  '{"user.unique_id": "id user_id script_id", "user.content": "title body", "system.operations": "created_at updated_at"}', 'posts');
select private.register_data('public.captions', 'user_id', 'features', 'delete_row',
  '{"user.unique_id": "id user_id", "user.content": "platform_id title body", "system.operations": "created_at updated_at"}', 'captions');
select private.register_data('public.media', 'user_id', 'features', 'delete_row',
  '{"user.unique_id": "id user_id", "user.content": "bucket_id object_name kind mime_type size_bytes width height duration_ms alt_text",
    "system.operations": "created_at"}', 'media');
select private.register_data('public.post_media', 'user_id', 'features', 'delete_row',
  '{"user.unique_id": "post_id media_id user_id", "user.content": "position role"}', 'post_media');
select private.register_data('storage.' || b, 'folder:name', 'features', 'external_delete', '{"user.content": "*"}', 'files',
  p_kind => 'bucket', p_notes => '{"*": "Files in the folder of their person; deleted through the Storage API."}') from unnest(array['media', 'avatars']) b;

select private.register_data('storage.objects', 'folder:name', 'features', 'external_delete',
  '{"user.unique_id": "owner owner_id", "user.content": "id bucket_id name metadata user_metadata path_tokens version",
    "system.operations": "created_at updated_at last_accessed_at archived_at is_delete_marker is_versioned"}', 'files',
  p_optional => '{archived_at,is_delete_marker,is_versioned}',
  p_notes => '{"metadata": "Type, size and time of a file.", "user_metadata": "Not used by this service.", "path_tokens": "The parts of the name."}');
select private.register_data(x.r, 'folder:key', 'features', 'external_delete', x.c::jsonb, p_optional => '{*}',
  p_notes => '{"user_metadata": "Of an upload under way.", "metadata": "Of an upload under way."}') from (values
  ('storage.s3_multipart_uploads', '{"user.unique_id": "owner_id", "user.content": "key user_metadata metadata", "system.operations": "id in_progress_size upload_signature bucket_id version created_at"}'),
  ('storage.s3_multipart_uploads_parts', '{"user.unique_id": "owner_id", "user.content": "key", "system.operations": "id upload_id size part_number bucket_id etag version created_at"}')) x (r, c);
select private.register_data('storage.buckets', 'none', 'features', 'keep_nonpersonal',
  '{"system.operations": "id name owner owner_id public file_size_limit allowed_mime_types created_at updated_at type avif_autodetection versioning_status"}',
  p_optional => '{type,avif_autodetection,versioning_status}', p_notes => '{"name": "Of a bucket.", "allowed_mime_types": "Of a bucket.", "owner": "Buckets belong to the service.", "owner_id": "Buckets belong to the service."}');
select private.register_data(x.r, 'none', 'features', 'keep_nonpersonal', jsonb_build_object('system.operations', x.c), p_optional => '{*}',
  p_notes => (select jsonb_object_agg(k, 'A part of Storage that this service does not use.') from regexp_split_to_table(x.c, ' ') k)) from (values
  ('storage.migrations', 'id name hash executed_at'),
  ('storage.prefixes', 'bucket_id name level created_at updated_at'),
  ('storage.buckets_analytics', 'name type format created_at updated_at id deleted_at'),
  ('storage.buckets_vectors', 'id type created_at updated_at'),
  ('storage.vector_indexes', 'id name bucket_id data_type dimension distance_metric metadata_configuration created_at updated_at'),
  ('storage.iceberg_namespaces', 'id bucket_name name created_at updated_at metadata catalog_id'),
  ('storage.iceberg_tables', 'id namespace_id bucket_name name location created_at updated_at remote_table_id shard_key shard_id catalog_id')) x (r, c);
