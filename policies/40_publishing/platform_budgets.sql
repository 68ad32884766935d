-- Nobody: the functions of this service read and write them.

alter table private.platform_limits enable row level security;
alter table private.platform_budgets enable row level security;
