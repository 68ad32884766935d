-- public.mail_categories, private.mail_templates
-- Why:     a mail has a category, and the category decides whether it may be switched off. A template belongs to one
--          category, so that no news can be sent under the name of security (P2.4, P7.6).
-- Caller:  people read the categories; whatever queues mail names a template.
-- Repeat:  reference data.

create table public.mail_categories (
  id text primary key,
  is_mandatory boolean not null,
  needs_consent boolean not null,
  is_on_by_default boolean not null,
  description text not null,
  unique (id, is_mandatory),
  constraint category_is_known check (id in ('security', 'billing', 'policy', 'product', 'marketing')),
  constraint what_the_promise_keeps_on_stays_on check (id not in ('security', 'billing', 'policy') or is_mandatory), -- P7.6, P11.1
  constraint everything_else_can_be_switched_off check (id not in ('product', 'marketing') or not is_mandatory), -- P7.6
  constraint marketing_needs_consent check (id <> 'marketing' or needs_consent), -- P2.4
  constraint mandatory_is_on check (not is_mandatory or is_on_by_default and not needs_consent),
  constraint consent_comes_first check (not needs_consent or not is_on_by_default),
  constraint description_is_given check (length(description) between 10 and 200)
);
comment on table public.mail_categories is 'The kinds of mail, and which of them can be switched off (P7.6).';
comment on column public.mail_categories.is_mandatory is 'Cannot be switched off: security, billing, policy.';
comment on column public.mail_categories.needs_consent is 'Sent only with a recorded consent (P2.4).';
comment on column public.mail_categories.is_on_by_default is 'Sent to whoever has not chosen.';
comment on column public.mail_categories.description is 'What such mails are about, for people.';

insert into public.mail_categories (id, is_mandatory, needs_consent, is_on_by_default, description) values
  ('security', true, false, true, 'Safety of the account: passwords, sign-ins, incidents, deletion, guardians.'),
  ('billing', true, false, true, 'Invoices and payments.'),
  ('policy', true, false, true, 'Changes of the rules and of the privacy policy, before they take effect.'),
  ('product', false, false, true, 'What happened to your posts and accounts: something failed, or needs you.'),
  ('marketing', false, true, false, 'News and offers, to those who asked for them.');

create table private.mail_templates (
  id text primary key,
  category_id text not null references public.mail_categories (id),
  give_up_after interval not null,
  unique (id, category_id),
  constraint id_is_snake_case check (id ~ '^[a-z][a-z0-9_]{2,40}$'),
  constraint retries_are_bounded check (give_up_after between interval '1 hour' and interval '30 days')
);
create index mail_templates_category_id_idx on private.mail_templates (category_id);
comment on table private.mail_templates is 'What is sent; the words are in the package workers/mail, under the same id.';
comment on column private.mail_templates.give_up_after is 'How long delivery is tried; then the mail has failed, with an alarm.';

insert into private.mail_templates (id, category_id, give_up_after) values
  ('password_changed', 'security', '3 days'),
  ('erasure_requested', 'security', '7 days'),
  ('erasure_completed', 'security', '3 days'),
  ('export_ready', 'security', '7 days'),
  ('right_answered', 'security', '30 days'),
  ('guardian_request', 'security', '7 days'),
  ('incident', 'security', '30 days'),
  ('invoice_issued', 'billing', '30 days'),
  ('policy_change', 'policy', '30 days'),
  ('notice', 'product', '2 days'),
  ('news', 'marketing', '7 days');
