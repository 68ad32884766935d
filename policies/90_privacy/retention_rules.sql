-- Nobody through the API.

alter table private.retention_rules enable row level security;
