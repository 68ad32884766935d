-- The queue is reached through functions of schema worker alone.

alter table private.queue enable row level security;
alter table private.dead_letters enable row level security;
