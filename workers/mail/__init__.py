"""Mails: what they say, how they look, how they are sent, and what the provider tells about them.

`letters` has the words, one function per template of `private.mail_templates`; `layout` makes HTML and text of them;
`resend` sends; `webhooks` checks who tells.
"""
