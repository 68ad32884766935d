-- What this context holds, for the data catalogue.

select private.register_data('public.platforms', 'none', 'features', 'keep_nonpersonal',
  '{"system.operations": "id display_name is_publishable"}', p_notes => '{"display_name": "Names of platforms."}');
select private.register_data('public.platform_features', 'none', 'features', 'keep_nonpersonal',
  '{"system.operations": "platform_id feature scopes purpose"}', p_notes => '{"scopes": "What a feature of a platform asks for."}');
select private.register_data('public.connections', 'user_id', 'features', 'delete_row',
  '{"user.unique_id": "id user_id external_account_id", "user.account.username": "handle", "user.name": "display_name",
    "user.contact.url": "avatar_url", "user.account": "platform_id scopes state connected_at token_expires_at refresh_expires_at usable_until disconnected_at last_error_code token_generation",
    "system.operations": "updated_at"}', 'connections', p_notes => '{"scopes": "What the platform granted."}');
select private.register_data('private.token_vault', 'user_id', 'features', 'delete_row',
  '{"user.unique_id": "connection_id user_id", "user.authorization.credentials": "sealed_access sealed_refresh sealed_revocation key_ids generation",
    "system.operations": "access_expires_at refresh_expires_at refresh_worker refresh_leased_until"}', p_anchor => 'disconnect',
  p_notes => '{"sealed_access": "Sealed (P3.4).", "sealed_refresh": "Sealed (P3.4).", "sealed_revocation": "Sealed (P3.4).", "key_ids": "Names of keys."}');
select private.register_data('private.revocation_outbox', 'user_id', 'features', 'expire',
  '{"user.unique_id": "id user_id connection_id external_account_id", "user.authorization.credentials": "sealed_token generation",
    "system.operations": "platform_id created_at delete_by attempts"}', p_retain_for => '24 hours', p_anchor => 'disconnect',
  p_notes => '{"sealed_token": "Sealed for revocation alone; telling the platform is part of an erasure (P6.7)."}');
select private.register_data('private.oauth_flows', 'user_id', 'features', 'delete_row',
  '{"user.unique_id": "id user_id connection_id reconnect_connection_id", "user.authorization.credentials": "ticket_hash state_hash browser_hash sealed_verifier",
    "system.operations": "platform_id features scopes redirect_to ticket_expires_at created_at expires_at consumed_at"}', p_retain_for => '10 minutes', p_anchor => 'created',
  p_notes => '{"ticket_hash": "SHA-256.", "state_hash": "SHA-256.", "browser_hash": "SHA-256.", "sealed_verifier": "Sealed (P3.4).", "features": "What was asked for.", "scopes": "What was asked for."}');
select private.register_data('private.pending_connections', 'user_id', 'features', 'delete_row',
  '{"user.unique_id": "id user_id connection_id reconnect_connection_id external_account_id", "user.account.username": "handle",
    "user.name": "display_name", "user.contact.url": "avatar_url",
    "user.authorization.credentials": "sealed_access sealed_refresh sealed_revocation key_ids code_hash generation",
    "system.operations": "platform_id scopes access_expires_at refresh_expires_at created_at expires_at confirmed_at"}', p_retain_for => '10 minutes', p_anchor => 'created',
  p_notes => '{"sealed_access": "Sealed (P3.4).", "sealed_refresh": "Sealed (P3.4).", "sealed_revocation": "Sealed (P3.4).", "key_ids": "Names of keys.", "code_hash": "SHA-256.", "scopes": "What the platform granted."}');
select private.register_data('queue.refresh', 'with:subject_id', 'features', 'delete_row', '{"user.unique_id": "*"}', p_kind => 'queue');
select private.register_data('queue.revoke', 'with:subject_id', 'features', 'expire', '{"user.unique_id": "*"}', p_retain_for => '24 hours',
  p_anchor => 'disconnect', p_kind => 'queue');
select private.register_data('private.grant_reminders', 'connection_id=>public.connections', 'features', 'delete_row',
  '{"user.unique_id": "connection_id", "user.account": "usable_until days reminded_at"}', p_retain_for => '30 days', p_anchor => 'closed');
