-- Consents are recorded by whoever operates the service, after verifying them.

alter table private.guardian_consents enable row level security;

grant execute on function private.record_guardian_consent(uuid, text, text, timestamptz) to service_role;
grant execute on function private.revoke_guardian_consent(uuid, timestamptz) to service_role;
grant execute on function worker.record_guardian_consent(uuid, text, text) to service_role;
grant execute on function worker.revoke_guardian_consent(uuid) to service_role;
