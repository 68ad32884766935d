-- Nobody: housekeeping reads and writes it.

alter table private.rule_rechecks enable row level security;
