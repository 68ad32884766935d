-- Reference rows of private.reserved_handles: names that would pass for the service or break a URL.

insert into private.reserved_handles (handle_key, anywhere) values
  (private.handle_skeleton('nexora'), true);

insert into private.reserved_handles (handle_key)
select distinct private.handle_skeleton(word) from unnest(string_to_array(
  'about abuse account accounts admin administrator anonymous api app auth billing blog careers contact '
  'creator deleted developer developers docs everyone help home hostmaster info jobs legal login logout '
  'mail me moderator noreply null official oauth owner postmaster press privacy public register root '
  'sales security settings signin signup staff status support system team terms undefined user users '
  'verified webmaster worker www', ' ')) word;
