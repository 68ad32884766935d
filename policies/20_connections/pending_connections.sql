-- Nobody: no grant, no policy (P3.4, P6.6).

alter table private.pending_connections enable row level security;
revoke all on private.pending_connections from public, anon, authenticated, service_role;
