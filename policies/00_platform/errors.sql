-- Nobody reads the registry or the ledger through the API; everybody's functions raise errors.

alter table private.error_registry enable row level security;
alter table private.definer_ledger enable row level security;

grant execute on function private.fail(text, text) to authenticated, service_role;
