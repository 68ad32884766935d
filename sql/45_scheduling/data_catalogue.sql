-- What this context holds, for the data catalogue.

select private.register_data('public.target_local_times', 'user_id', 'features', 'delete_row',
  '{"user.unique_id": "target_id user_id", "user.content": "scheduled_at local_time time_zone adjusted"}', 'target_local_times');
select private.register_data('public.queue_slots', 'user_id', 'features', 'delete_row',
  '{"user.unique_id": "id user_id connection_id", "user.settings": "weekday local_time time_zone", "system.operations": "created_at updated_at"}', 'queue_slots');
select private.register_data('public.post_series', 'user_id', 'features', 'delete_row',
  '{"user.unique_id": "id user_id post_id", "user.content": "rule starts_on local_time time_zone texts state next_number next_at make_at",
    "system.operations": "created_at updated_at"}', 'post_series', p_notes => '{"texts": "Texts that the occurrences take in turn."}');
select private.register_data('public.post_occurrences', 'user_id', 'features', 'delete_row',
  '{"user.unique_id": "id user_id series_id post_id", "user.content": "number occurs_on scheduled_at adjusted state",
    "system.operations": "created_at"}', 'post_occurrences');
select private.register_data('public.post_imports', 'user_id', 'features', 'delete_row',
  '{"user.unique_id": "user_id post_id", "user.content": "key", "system.operations": "created_at"}', 'post_imports');
select private.register_data('public.calendar_feeds', 'user_id', 'features', 'delete_row',
  '{"user.unique_id": "id user_id", "user.settings": "name", "user.behavior": "last_used_on",
    "system.operations": "created_at"}', 'calendar_feeds');
select private.register_data('private.calendar_tokens', 'user_id', 'features', 'delete_row',
  '{"user.unique_id": "feed_id user_id", "user.authorization.credentials": "token_hash"}',
  p_notes => '{"token_hash": "SHA-256."}');
