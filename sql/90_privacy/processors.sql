-- private.processors, private.processor_purposes, private.require_processor(processor, purpose), public.list_processors()
-- Why:     whoever receives personal data on our behalf is listed, with what for, where, and under which safeguard (P4.1,
--          P10.2). One that trains on data cannot be listed (P2.2), and what is not listed cannot be called.
-- Caller:  jobs through private.require_processing(); people read the list. Platforms that a person connects are not
--          processors: they get what the person sends them.
-- Errors:  NX905 not listed, or not for this purpose.
-- Repeat:  safe; nothing is written.

create table private.processors (
  id text primary key,
  display_name text not null,
  task text not null,
  receives text not null,
  countries text[] not null,
  safeguard text not null,
  trains_on_data boolean not null,
  is_promised boolean not null,
  needs_consent boolean not null,
  checked_on date not null,
  constraint id_is_snake_case check (id ~ '^[a-z][a-z0-9_]{1,40}$'),
  constraint never_trains_on_data check (not trains_on_data), -- P2.2
  constraint countries_are_iso_3166_alpha_2 check (
    cardinality(countries) > 0 and array_to_string(countries, ',') ~ '^[A-Z]{2}(,[A-Z]{2})*$'), -- P10.2
  constraint safeguard_is_known check (safeguard in (
    'within_eea', 'adequacy_decision', 'standard_contractual_clauses', 'explicit_consent')),
  constraint outside_the_promise_only_with_consent check (is_promised or needs_consent), -- P4.1
  constraint texts_are_given check (length(display_name) between 2 and 80 and length(task) between 5 and 200
                                    and length(receives) between 5 and 300)
);
comment on table private.processors is 'Who processes personal data on our behalf (P4.1).';
comment on column private.processors.receives is 'What it gets: no more than its task needs.';
comment on column private.processors.is_promised is 'Named in the privacy policy; any other needs the person''s consent (P4.1).';
comment on column private.processors.checked_on is 'When countries and safeguard were last compared with the contract.';

create table private.processor_purposes (
  processor_id text not null references private.processors (id) on delete cascade,
  purpose_id text not null references private.processing_purposes (id),
  primary key (processor_id, purpose_id)
);
create index processor_purposes_purpose_id_idx on private.processor_purposes (purpose_id);
comment on table private.processor_purposes is 'What a processor may receive data for.';

insert into private.processors
  (id, display_name, task, receives, countries, safeguard, trains_on_data, is_promised, needs_consent, checked_on) values
  ('supabase', 'Supabase', 'Database, sign-in and files', 'Everything that the person enters and uploads.',
   '{US}', 'standard_contractual_clauses', false, true, false, '2026-11-20'),
  ('groq', 'Groq', 'AI on texts', 'The text handed to an AI feature, without name or address.',
   '{US}', 'standard_contractual_clauses', false, true, false, '2026-11-20'),
  ('whisper', 'Whisper, run by Groq', 'Transcription of audio', 'The audio of one request; nothing is left after it (P4.2).',
   '{US}', 'standard_contractual_clauses', false, true, false, '2026-11-20'),
  ('stripe', 'Stripe', 'Payments', 'Name, address, e-mail and what is paid; card data goes to Stripe directly (P2.5).',
   '{US,IE}', 'standard_contractual_clauses', false, true, false, '2026-11-20'),
  ('resend', 'Resend', 'Sending of e-mail', 'The address for the message in question, and the message (P4.3).',
   '{US}', 'standard_contractual_clauses', false, true, false, '2026-11-20'),
  ('netlify', 'Netlify', 'Hosting of the front end', 'The request of the browser.',
   '{US}', 'standard_contractual_clauses', false, true, false, '2026-11-20'),
  ('railway', 'Railway', 'Hosting of the workers', 'What passes through a worker on its way.',
   '{US}', 'standard_contractual_clauses', false, true, false, '2026-11-20');

insert into private.processor_purposes (processor_id, purpose_id) values
  ('supabase', 'features'), ('supabase', 'security'), ('supabase', 'billing'), ('supabase', 'product_improvement'),
  ('supabase', 'transactional_email'), ('supabase', 'marketing'), ('supabase', 'legal_duty'), ('supabase', 'ai_processing'),
  ('groq', 'ai_processing'), ('whisper', 'ai_processing'), ('stripe', 'billing'), ('resend', 'transactional_email'),
  ('resend', 'marketing'), ('netlify', 'features'), ('netlify', 'security'), ('railway', 'features'), ('railway', 'security'),
  ('railway', 'billing'), ('railway', 'transactional_email'), ('railway', 'ai_processing'), ('railway', 'legal_duty'),
  ('railway', 'marketing');

create function private.require_processor(p_processor text, p_purpose text) returns void
language plpgsql volatile security invoker set search_path = '' as $$
begin
  if not exists (
    select from private.processors p join private.processor_purposes u on u.processor_id = p.id
    where p.id = p_processor and u.purpose_id = p_purpose and not p.trains_on_data
  ) then
    perform private.fail('NX905', p_detail := left(coalesce(p_processor, 'none'), 40));
  end if;
end;
$$;
comment on function private.require_processor(text, text) is 'NX905 unless this processor may receive data for this purpose.';

create function private.list_processors(p_now timestamptz default now())
returns table (
  id text, display_name text, task text, receives text, countries text[], safeguard text, purposes text[]
)
language plpgsql volatile security definer set search_path = '' as $$
#variable_conflict use_column
begin
  perform private.live_person(p_now);
  return query
    select p.id, p.display_name, p.task, p.receives, p.countries, p.safeguard,
           array(select u.purpose_id from private.processor_purposes u where u.processor_id = p.id order by 1)
    from private.processors p order by p.display_name;
end;
$$;
comment on function private.list_processors(timestamptz) is 'Body of public.list_processors().';

create function public.list_processors()
returns table (
  id text, display_name text, task text, receives text, countries text[], safeguard text, purposes text[]
)
language sql volatile security invoker set search_path = '' as $$
  select p.id, p.display_name, p.task, p.receives, p.countries, p.safeguard, p.purposes from private.list_processors() p
$$;
comment on function public.list_processors() is
  'Who processes data on behalf of this service: what for, in which countries, under which safeguard (P4.1, P10.2).';

insert into private.definer_ledger (function_name, reason) values
  ('private.list_processors', 'People may know the list of processors, but have no rights in schema private.');
