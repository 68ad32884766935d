-- Nobody reaches them through the API.

alter table private.usage_keys enable row level security;
alter table private.usage_calls enable row level security;
