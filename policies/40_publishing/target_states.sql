-- Nobody: the triggers of this service read it.

alter table private.target_transitions enable row level security;
