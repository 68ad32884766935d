-- What this context holds, for the data catalogue.

select private.register_data('public.platform_rules', 'none', 'features', 'keep_nonpersonal',
  '{"system.operations": "platform_id rule value text_values unit source checked_on valid_from valid_to changed_at severity"}',
  p_notes => '{"text_values": "Limits of a platform, from its documents."}');
select private.register_data('private.target_transitions', 'none', 'features', 'keep_nonpersonal',
  '{"system.operations": "from_state to_state meaning"}');
select private.register_data('private.platform_limits', 'none', 'features', 'keep_nonpersonal',
  '{"system.operations": "platform_id scope name limit_value length resets_in_zone source checked_on valid_from gates_posts"}',
  p_notes => '{"name": "Of a limit."}');
select private.register_data('private.platform_budgets', 'connection_id=>public.connections', 'features', 'delete_row',
  '{"user.unique_id": "connection_id", "system.operations": "id platform_id name limit_value remaining resets_at observed_at"}',
  p_retain_for => '8 days', p_anchor => 'closed');
select private.register_data('public.post_targets', 'user_id', 'features', 'delete_row',
  '{"user.unique_id": "id user_id post_id connection_id external_id", "user.content": "text options external_url",
    "user.behavior": "platform_id state scheduled_at tolerance published_at failure_code failure_message",
    "system.operations": "revision attempt attempt_base checked_at created_at updated_at"}', 'post_targets',
  p_notes => '{"options": "What the person chose on the platform, such as who may reply."}');
select private.register_data('public.target_events', 'user_id', 'features', 'delete_row',
  '{"user.unique_id": "target_id user_id", "user.behavior": "at from_state to_state code attempt", "system.operations": "id"}', 'target_events');
select private.register_data('private.publish_attempts', 'target_id=>public.post_targets', 'features', 'delete_row',
  '{"user.unique_id": "target_id user_id platform_key", "user.behavior": "finished_at claimed_at sending_at outcome code http_status",
    "system.operations": "attempt worker_id"}', p_retain_for => '13 months', p_anchor => 'created',
  p_notes => '{"user_id": "No index of its own: rows are written with their target alone, and deleted with it by trigger."}');
select private.register_data('queue.publish', 'with:subject_id', 'features', 'delete_row', '{"user.content": "*"}', p_kind => 'queue');
select private.register_data('public.target_follow_ups', 'user_id', 'features', 'delete_row',
  '{"user.unique_id": "id user_id target_id external_id", "user.content": "position body external_url published_at",
    "system.operations": "created_at updated_at"}', 'target_follow_ups');
select private.register_data('private.platform_prices', 'none', 'features', 'keep_nonpersonal',
  '{"system.operations": "platform_id charge amount_micros currency source checked_on valid_from"}');
select private.register_data('public.publish_costs', 'user_id', 'features', 'delete_row',
  '{"user.unique_id": "id user_id target_id", "user.behavior": "platform_id charge amount_micros currency charged_at"}', 'publish_costs');
select private.register_data('public.monthly_publish_costs', 'user_id', 'features', 'delete_row',
  '{"user.unique_id": "user_id", "user.behavior": "month platform_id calls amount_micros currency"}');
select private.register_data('private.rule_words', 'none', 'features', 'keep_nonpersonal', '{"system.operations": "rule words"}');
select private.register_data('private.rule_rechecks', 'none', 'features', 'keep_nonpersonal',
  '{"system.operations": "rules_changed_at after_at after_id finished_at"}');
select private.register_data('public.platform_options', 'none', 'features', 'keep_nonpersonal',
  '{"system.operations": "platform_id option kind allowed is_required most meaning"}', p_notes => '{"allowed": "Values that a platform knows."}');
