-- Nobody through the API.

alter table private.erasure_ledger enable row level security;
