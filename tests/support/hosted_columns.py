"""Columns that schemas `auth` and `storage` of a hosted project have, where the embedded stack has none of them.

Read from what the migrations of supabase/auth (June 2026) and supabase/storage (0070) build on an empty database.
Types are those that the data catalogue looks at; the rest is text.
"""

# ruff: noqa: E501  (lists of names)

from __future__ import annotations

import psycopg

_TABLES = {
    "auth.audit_log_entries": "instance_id",
    "auth.custom_oauth_providers": "id provider_type identifier name client_id client_secret acceptable_client_ids[] scopes[] "
    "pkce_enabled attribute_mapping:jsonb authorization_params:jsonb enabled email_optional issuer discovery_url "
    "skip_nonce_check cached_discovery:jsonb discovery_cached_at authorization_url token_url userinfo_url jwks_uri "
    "created_at updated_at custom_claims_allowlist[]",
    "auth.instances": "id uuid raw_base_config created_at updated_at",
    "auth.mfa_amr_claims": "session_id created_at updated_at authentication_method id",
    "auth.mfa_challenges": "id factor_id created_at verified_at ip_address:inet otp_code web_authn_session_data:jsonb",
    "auth.mfa_factors": "id user_id friendly_name factor_type status created_at updated_at secret phone last_challenged_at "
    "web_authn_credential:jsonb web_authn_aaguid last_webauthn_challenge_data:jsonb",
    "auth.oauth_authorizations": "id authorization_id client_id user_id redirect_uri scope state resource code_challenge "
    "code_challenge_method response_type status authorization_code created_at expires_at approved_at nonce",
    "auth.oauth_client_states": "id provider_type code_verifier created_at",
    "auth.oauth_clients": "id client_secret_hash registration_type redirect_uris grant_types client_name client_uri logo_uri "
    "created_at updated_at deleted_at client_type token_endpoint_auth_method",
    "auth.oauth_consents": "id user_id client_id scopes granted_at revoked_at",
    "auth.one_time_tokens": "id user_id token_type token_hash relates_to created_at updated_at",
    "auth.refresh_tokens": "instance_id",
    "auth.saml_providers": "id sso_provider_id entity_id metadata_xml metadata_url attribute_mapping:jsonb created_at "
    "updated_at name_id_format",
    "auth.saml_relay_states": "id sso_provider_id request_id for_email redirect_to created_at updated_at flow_state_id",
    "auth.schema_migrations": "version",
    "auth.sessions": "oauth_client_id",
    "auth.sso_domains": "id sso_provider_id domain created_at updated_at",
    "auth.sso_providers": "id resource_id created_at updated_at disabled",
    "auth.users": "instance_id is_super_admin",
    "auth.webauthn_challenges": "id user_id challenge_type session_data:jsonb created_at expires_at",
    "auth.webauthn_credentials": "id user_id credential_id:bytea public_key:bytea attestation_type aaguid sign_count "
    "transports:jsonb backup_eligible backed_up friendly_name created_at updated_at last_used_at",
    "storage.buckets": "avif_autodetection type versioning_status",
    "storage.buckets_analytics": "name type format created_at updated_at id deleted_at",
    "storage.buckets_vectors": "id type created_at updated_at",
    "storage.iceberg_namespaces": "id bucket_name name created_at updated_at metadata:jsonb catalog_id",
    "storage.iceberg_tables": "id namespace_id bucket_name name location created_at updated_at remote_table_id shard_key "
    "shard_id catalog_id",
    "storage.migrations": "id name hash executed_at",
    "storage.objects": "archived_at is_delete_marker is_versioned",
    "storage.s3_multipart_uploads": "id in_progress_size upload_signature bucket_id key version owner_id created_at "
    "user_metadata:jsonb metadata:jsonb",
    "storage.s3_multipart_uploads_parts": "id upload_id size part_number bucket_id key etag owner_id version created_at",
    "storage.vector_indexes": "id name bucket_id data_type dimension distance_metric metadata_configuration:jsonb created_at "
    "updated_at",
}  # fmt: skip


def _kind_of(table: str, name: str) -> str:
    is_id = name == "id" or name in ("user_id", "session_id", "factor_id", "flow_state_id")
    return "uuid" if is_id and table.startswith("auth.") else "text"


def add_hosted_columns(superuser: psycopg.Connection) -> None:
    """Give the embedded schemas the shape of hosted ones, within the transaction of `superuser`."""
    for table, columns in _TABLES.items():
        superuser.execute(f"create table if not exists {table} ()")
        for column in columns.split():
            name, _, kind = column.removesuffix("[]").partition(":")
            kind = "text[]" if column.endswith("[]") else kind or _kind_of(table, name)
            superuser.execute(f"alter table {table} add column if not exists {name} {kind}")
