-- Settings are read by bodies of this service alone.

alter table private.settings enable row level security;
alter table private.redirect_urls enable row level security;
