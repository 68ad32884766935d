-- Workers read and extend the chain; nobody changes it.

alter table private.attestations enable row level security;

grant execute on function private.attestation_head() to service_role;
grant execute on function private.store_attestation(text, text, text, timestamptz) to service_role;
grant execute on function private.list_attestations(int) to service_role;
grant execute on function worker.attestation_head() to service_role;
grant execute on function worker.store_attestation(text, text, text) to service_role;
grant execute on function worker.list_attestations(int) to service_role;
