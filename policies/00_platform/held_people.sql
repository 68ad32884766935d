-- Nobody through the API.

alter table private.held_people enable row level security;
