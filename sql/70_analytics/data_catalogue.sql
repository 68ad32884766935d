-- What this context holds, for the data catalogue.

select private.register_data('private.usage_events', 'daily:pseudonym', 'product_improvement', 'expire',
  '{"user.unique_id": "pseudonym", "user.behavior": "kind name", "system.operations": "day"}',
  p_retain_for => '30 days', p_anchor => 'created',
  p_notes => '{"pseudonym": "Of one day; when it is over, whose it was cannot be told. What is left of today goes at once with an opt-out, a lock or an erasure.", "name": "From a list: a page, a feature, a step of length, or a coarse class of country and device."}');
select private.register_data('private.usage_calls', 'daily:pseudonym', 'product_improvement', 'expire',
  '{"user.unique_id": "pseudonym", "system.operations": "day calls"}', p_retain_for => '24 hours', p_anchor => 'created',
  p_notes => '{"pseudonym": "Of today."}');
select private.register_data(r, 'none', 'product_improvement', 'keep_nonpersonal', jsonb_build_object('system.operations', c),
  p_notes => n::jsonb) from (values
  ('public.usage_names', 'kind name', '{"name": "Of a page, feature or class."}'),
  ('private.usage_keys', 'day key', '{"key": "Random; destroyed when its day is over, and in no backup."}'),
  ('private.usage_day_counts', 'day kind name people', '{"name": "Of a page, feature or class.", "people": "A number."}'),
  ('private.usage_releases', 'week released_at', '{}'),
  ('private.usage_aggregates', 'week kind name people_days', '{"name": "Of a page, feature or class.", "people_days": "A number."}')) x (r, c, n);
