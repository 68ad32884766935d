-- What this context holds, for the data catalogue.

select private.register_data('public.notifications', 'user_id', 'features', 'delete_row',
  '{"user.unique_id": "id user_id subject_id", "user.behavior": "kind subject_kind code created_at read_at"}', 'notifications',
  p_retain_for => '1 year', p_anchor => 'created');
