-- Nobody: no grant, no policy (P6.6).

alter table private.oauth_flows enable row level security;
revoke all on private.oauth_flows from public, anon, authenticated, service_role;
