-- What this context holds, for the data catalogue.

select private.register_data('public.notifications', 'user_id', 'features', 'delete_row',
  '{"user.unique_id": "id user_id subject_id", "user.behavior": "kind subject_kind code created_at read_at wants_mail"}', 'notifications',
  p_retain_for => '1 year', p_anchor => 'created');
select private.register_data('public.notification_texts', 'none', 'features', 'keep_nonpersonal',
  '{"system.operations": "kind code title advice is_mailed"}',
  p_notes => '{"kind": "Of a notice.", "code": "Of a notice.", "title": "Words of the product.", "advice": "Words of the product.", "is_mailed": "Of a kind of notice."}');
select private.register_data('public.notices', 'user_id', 'features', 'delete_row',
  '{"user.unique_id": "id user_id subject_id", "user.behavior": "kind subject_kind code created_at read_at wants_mail",
    "system.operations": "title advice"}', p_retain_for => '1 year', p_anchor => 'created',
  p_notes => '{"title": "Words of the product.", "advice": "Words of the product."}');
