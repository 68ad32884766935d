-- Nobody reaches them through the API.

alter table private.usage_day_counts enable row level security;
alter table private.usage_releases enable row level security;
alter table private.usage_aggregates enable row level security;
