-- Nobody: the functions of this service read and write it.

alter table private.publish_attempts enable row level security;
