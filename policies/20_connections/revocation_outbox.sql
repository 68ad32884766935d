-- Nobody: no grant, no policy (P6.6, P6.7).

alter table private.revocation_outbox enable row level security;
revoke all on private.revocation_outbox from public, anon, authenticated, service_role;
