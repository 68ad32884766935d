-- Nobody: housekeeping reads and writes it.

alter table private.grant_reminders enable row level security;
