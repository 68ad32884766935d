-- What this context holds, for the data catalogue.

select private.register_data('private.billing_customers', 'user_id', 'billing', 'delete_row',
  '{"user.unique_id": "user_id stripe_customer_id", "system.operations": "created_at"}', 'billing_customer');
select private.register_data('public.billing_invoices', 'user_id', 'billing', 'unlink',
  '{"user.unique_id": "id user_id stripe_invoice_id", "user.financial": "number issued_at description amount_minor tax_minor currency",
    "user.contact.postal_address": "billed_to country"}', 'billing_invoices', p_retain_for => '7 years', p_anchor => 'issued');
select private.register_data('retained.billing_invoices', 'pseudonym', 'legal_duty', 'expire',
  '{"user.unique_id": "id pseudonym", "user.financial": "number issued_at description amount_minor tax_minor currency purge_after",
    "user.contact.postal_address": "billed_to country"}', p_retain_for => '7 years', p_anchor => 'issued',
  p_notes => '{"billed_to": "Name and address have to be on an invoice."}');
select private.register_data('external.stripe', 'json:contents', 'billing', 'external_delete', '{"user.contact.postal_address": "*"}',
  p_kind => 'external', p_notes => '{"*": "The customer, subscriptions and cards; an erasure removes them. An invoice keeps the name and address on it, as the law wants (P8.3)."}');
