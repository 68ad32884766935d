-- What this context holds, for the data catalogue; schema auth among it, whose columns differ from stack to stack.

select private.register_data('private.reserved_handles', 'none', 'features', 'keep_nonpersonal',
  '{"system.operations": "handle_key anywhere"}', p_notes => '{"handle_key": "Words that no handle may be."}');
select private.register_data('private.accounts', 'user_id', 'legal_duty', 'delete_row',
  '{"user.unique_id": "user_id", "user.demographic.date_of_birth": "birth_date",
    "user.account": "state guardian_consent_at locked_at restricted_at created_at updated_at"}', 'account');
select private.register_data('private.guardian_consents', 'user_id', 'legal_duty', 'delete_row',
  '{"user.unique_id": "id user_id", "user.childrens": "guardian_name method evidence requested_at expires_at confirmed_at revoked_at",
    "user.contact.email": "guardian_email_hash", "user.authorization.credentials": "token_hash revoke_hash"}', 'guardian_consents',
  p_export_of => '{"guardian_name": "exclude_third_party", "guardian_email_hash": "exclude_third_party", "evidence": "exclude_third_party"}');
select private.register_data('public.profiles', 'user_id', 'features', 'delete_row',
  '{"user.unique_id": "user_id", "user.account.username": "handle handle_key", "user.name": "display_name",
    "user.content": "niche bio avatar_path", "user.location.imprecise": "country", "system.operations": "created_at updated_at"}', 'profile');
select private.register_data('public.preferences', 'user_id', 'features', 'delete_row',
  '{"user.unique_id": "user_id", "user.settings": "language time_zone theme week_starts_on product_analytics mail_notices",
    "system.operations": "created_at updated_at"}', 'preferences');
select private.register_data('public.media_kits', 'user_id', 'features', 'delete_row',
  '{"user.unique_id": "user_id", "user.content": "headline about audience is_published", "user.contact.email": "contact_email",
    "system.operations": "created_at updated_at"}', 'media_kit', p_notes => '{"audience": "Figures about the audience, entered by the person."}');
select private.register_data('public.media_kit_rates', 'user_id', 'features', 'delete_row',
  '{"user.unique_id": "id user_id", "user.financial": "platform_id format amount_minor currency",
    "system.operations": "created_at updated_at"}', 'media_kit_rates');
select private.register_data('public.social_links', 'user_id', 'features', 'delete_row',
  '{"user.unique_id": "id user_id", "user.contact.url": "platform url", "system.operations": "created_at updated_at"}', 'social_links');
select private.register_data('public.login_events', 'user_id', 'security', 'delete_row',
  '{"user.unique_id": "id user_id session_id", "user.location.imprecise": "country located_at", "user.behavior": "at method"}', 'login_events',
  p_retain_for => '13 months', p_anchor => 'created');

-- Supabase Auth. Everything goes with the row of auth.users, or is deleted by private.delete_auth_user().
select private.register_data('auth.users', 'id', 'features', 'delete_row',
  '{"user.unique_id": "id", "user.contact.email": "email email_change", "user.contact.phone_number": "phone phone_change",
    "user.authorization.password": "encrypted_password",
    "user.authorization.credentials": "confirmation_token recovery_token email_change_token_new email_change_token_current phone_change_token reauthentication_token",
    "user.account": "aud role email_confirmed_at confirmed_at invited_at confirmation_sent_at recovery_sent_at email_change_sent_at email_change_confirm_status phone_confirmed_at phone_change_sent_at reauthentication_sent_at banned_until deleted_at is_sso_user is_anonymous last_sign_in_at created_at updated_at instance_id is_super_admin",
    "user.name": "raw_app_meta_data raw_user_meta_data"}', 'auth_user',
  p_optional => '{instance_id,is_super_admin}',
  p_notes => '{"raw_app_meta_data": "Which service vouched for the person.", "raw_user_meta_data": "What the sign-up brought: a name, never the birth date."}');
select private.register_data('auth.identities', 'user_id', 'features', 'delete_row',
  '{"user.unique_id": "id user_id provider_id", "user.contact.email": "email", "user.name": "identity_data",
    "user.account": "provider last_sign_in_at created_at updated_at"}', 'auth_identities',
  p_notes => '{"identity_data": "What the service that vouched for the person told about them."}');
select private.register_data('auth.sessions', 'user_id', 'security', 'delete_row',
  '{"user.unique_id": "id user_id factor_id oauth_client_id", "user.device": "user_agent", "user.device.ip_address": "ip",
    "user.authorization.credentials": "refresh_token_hmac_key",
    "user.behavior": "not_after refreshed_at tag refresh_token_counter scopes created_at updated_at aal"}', 'sessions',
  p_retain_for => '30 days', p_anchor => 'created', p_optional => '{oauth_client_id}');
select private.register_data('auth.refresh_tokens', 'user_id', 'security', 'delete_row',
  '{"user.unique_id": "id user_id session_id", "user.authorization.credentials": "token parent",
    "system.operations": "revoked created_at updated_at instance_id"}', p_optional => '{instance_id}');
select private.register_data('auth.flow_state', 'user_id', 'security', 'delete_row',
  '{"user.unique_id": "id user_id linking_target_id oauth_client_state_id",
    "user.authorization.credentials": "auth_code code_challenge provider_access_token provider_refresh_token invite_token",
    "system.operations": "authentication_method code_challenge_method provider_type auth_code_issued_at referrer email_optional created_at updated_at"}',
  p_retain_for => '24 hours', p_anchor => 'created');
select private.register_data('auth.audit_log_entries', 'json:payload', 'security', 'delete_row',
  '{"user.behavior": "payload", "user.device.ip_address": "ip_address", "system.operations": "id created_at instance_id"}',
  p_optional => '{instance_id}', p_retain_for => '13 months', p_anchor => 'created',
  p_notes => '{"payload": "Who did what: id, address and name of the person who acted and of the one it happened to."}');

-- Of Supabase Auth on the hosted service only.
select private.register_data(x.r, x.path, 'security', 'delete_row', x.c::jsonb, p_optional => '{*}', p_notes => x.n::jsonb) from (values
  ('auth.one_time_tokens', 'user_id', '{"user.unique_id": "id user_id", "user.authorization.credentials": "token_hash", "user.contact.email": "relates_to", "system.operations": "token_type created_at updated_at"}', '{}'),
  ('auth.mfa_factors', 'user_id', '{"user.unique_id": "id user_id", "user.contact.phone_number": "phone", "user.authorization.credentials": "secret web_authn_credential web_authn_aaguid last_webauthn_challenge_data", "user.account": "friendly_name factor_type status created_at updated_at last_challenged_at"}',
   '{"web_authn_credential": "A public key and its id.", "last_webauthn_challenge_data": "The last challenge of a key."}'),
  ('auth.mfa_challenges', 'factor_id=>auth.mfa_factors', '{"user.unique_id": "id factor_id", "user.device.ip_address": "ip_address", "user.authorization.credentials": "otp_code web_authn_session_data", "system.operations": "created_at verified_at"}',
   '{"web_authn_session_data": "A challenge on its way."}'),
  ('auth.mfa_amr_claims', 'session_id=>auth.sessions', '{"user.unique_id": "id session_id", "system.operations": "created_at updated_at authentication_method"}', '{}'),
  ('auth.webauthn_credentials', 'user_id', '{"user.unique_id": "id user_id", "user.authorization.credentials": "credential_id public_key attestation_type aaguid sign_count transports backup_eligible backed_up", "user.account": "friendly_name created_at updated_at last_used_at"}',
   '{"credential_id": "Id of a passkey.", "public_key": "Public key of a passkey.", "transports": "How the passkey is reached."}'),
  ('auth.webauthn_challenges', 'user_id', '{"user.unique_id": "id user_id", "user.authorization.credentials": "session_data", "system.operations": "challenge_type created_at expires_at"}',
   '{"session_data": "A challenge on its way."}'),
  ('auth.oauth_authorizations', 'user_id', '{"user.unique_id": "id user_id client_id", "user.authorization.credentials": "authorization_id authorization_code state nonce code_challenge", "system.operations": "redirect_uri scope resource code_challenge_method response_type status created_at expires_at approved_at"}', '{}'),
  ('auth.oauth_consents', 'user_id', '{"user.unique_id": "id user_id client_id", "user.account": "scopes granted_at revoked_at"}', '{}'),
  ('auth.saml_relay_states', 'flow_state_id=>auth.flow_state', '{"user.unique_id": "id flow_state_id", "user.contact.email": "for_email", "system.operations": "sso_provider_id request_id redirect_to created_at updated_at"}', '{}'),
  ('auth.oauth_client_states', 'with:id', '{"user.authorization.credentials": "code_verifier", "system.operations": "id provider_type created_at"}', '{}')
) x (r, path, c, n);
select private.register_data(x.r, 'none', 'features', 'keep_nonpersonal', jsonb_build_object('system.operations', x.c), p_optional => '{*}',
  p_notes => (select jsonb_object_agg(k, 'Set-up of Auth by whoever runs the service; about nobody.') from regexp_split_to_table(x.c, ' ') k)) from (values
  ('auth.instances', 'id uuid raw_base_config created_at updated_at'),
  ('auth.schema_migrations', 'version'),
  ('auth.sso_providers', 'id resource_id created_at updated_at disabled'),
  ('auth.sso_domains', 'id sso_provider_id domain created_at updated_at'),
  ('auth.saml_providers', 'id sso_provider_id entity_id metadata_xml metadata_url attribute_mapping created_at updated_at name_id_format'),
  ('auth.oauth_clients', 'id client_secret_hash registration_type redirect_uris grant_types client_name client_uri logo_uri created_at updated_at deleted_at client_type token_endpoint_auth_method'),
  ('auth.custom_oauth_providers', 'id provider_type identifier name client_id client_secret acceptable_client_ids scopes pkce_enabled attribute_mapping authorization_params enabled email_optional issuer discovery_url skip_nonce_check cached_discovery discovery_cached_at authorization_url token_url userinfo_url jwks_uri created_at updated_at custom_claims_allowlist')
) x (r, c);
