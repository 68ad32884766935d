-- Nobody: no grant, no policy. Not even the holder of the secret key reads a sealed token by itself (P3.4, P6.6).

alter table private.token_vault enable row level security;
revoke all on private.token_vault from public, anon, authenticated, service_role;
