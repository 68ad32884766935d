-- Nobody reaches them through the API.

alter table private.usage_events enable row level security;
