-- private.weighted_length(text, url_length) -> int
-- Why:     X counts weighted characters: after NFC, every URL is 23 whatever its length, an emoji sequence is 2, characters
--          of most alphabets are 1, all others (CJK among them) are 2. (X developer documentation, counting characters)
-- Caller:  private.target_problems().
-- Errors:  none. NULL counts 0.
-- Repeat:  safe; nothing is written.
-- Note:    links without https:// count as URLs for the common top-level domains; a rare one counts as its letters, and
--          X itself then has the last word.

create function private.url_pattern() returns text
language sql immutable security invoker set search_path = '' as $$
  select '(?:(?<![A-Za-z0-9@$#_/.-])https?://(?:[a-z0-9_\u00C0-\u024F-]+\.)+[a-z\u00C0-\u024F]{2,}(?::[0-9]+)?'
      || '(?:[/?#](?:[^\s<>"]*[^\s<>".,:;!?)\]''])?)?'
      || '|(?<![A-Za-z0-9@$#_/.-])(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+'
      || '(?:com|org|net|edu|gov|info|biz|app|dev|io|ai|co|tv|me|xyz|shop|store|blog|online|site|page|link|studio|media)'
      || '(?![a-z0-9@-])(?:/(?:[^\s<>"]*[^\s<>".,:;!?)\]''])?)?)'
$$;
comment on function private.url_pattern() is 'What X turns into a link, for case-insensitive use.';

-- Flags; keycaps; symbols that are text unless U+FE0F follows; pictographs with skin tone, tags and joined parts.
create function private.emoji_pattern() returns text
language sql immutable security invoker set search_path = '' as $$
  select '(?:[\U0001F1E6-\U0001F1FF]{2}|[0-9#*]\uFE0F?\u20E3|[\u00A9\u00AE\u2122\u265F]\uFE0F|' || e.part
      || '(?:\u200D' || e.part || ')*)'
  from (values ('[\u203C\u2049\u2139\u2194-\u2199\u21A9\u21AA\u231A\u231B\u2328\u23CF\u23E9-\u23F3\u23F8-\u23FA\u24C2'
      || '\u25AA\u25AB\u25B6\u25C0\u25FB-\u25FE\u2600-\u2604\u260E\u2611\u2614\u2615\u2618\u261D\u2620\u2622\u2623\u2626'
      || '\u262A\u262E\u262F\u2638-\u263A\u2640\u2642\u2648-\u2653\u2660\u2663\u2665\u2666\u2668\u267B\u267E\u267F'
      || '\u2692-\u2697\u2699\u269B\u269C\u26A0\u26A1\u26A7\u26AA\u26AB\u26B0\u26B1\u26BD\u26BE\u26C4\u26C5\u26C8\u26CE'
      || '\u26CF\u26D1\u26D3\u26D4\u26E9\u26EA\u26F0-\u26F5\u26F7-\u26FA\u26FD\u2702\u2705\u2708-\u270D\u270F\u2712\u2714'
      || '\u2716\u271D\u2721\u2728\u2733\u2734\u2744\u2747\u274C\u274E\u2753-\u2755\u2757\u2763\u2764\u2795-\u2797\u27A1'
      || '\u27B0\u27BF\u2934\u2935\u2B05-\u2B07\u2B1B\u2B1C\u2B50\u2B55\u3030\u303D\u3297\u3299'
      || '\U0001F000-\U0001F1E5\U0001F200-\U0001F3FA\U0001F400-\U0001FAFF]'
      || '\uFE0F?[\U0001F3FB-\U0001F3FF]?(?:[\U000E0020-\U000E007E]+\U000E007F)?')) e (part)
$$;
comment on function private.emoji_pattern() is 'One emoji, however many code points it is made of.';

create function private.weighted_length(p_text text, p_url_length int default 23) returns int
language plpgsql immutable security invoker set search_path = '' as $$
declare
  v_text text := normalize(coalesce(p_text, ''), nfc);
  v_urls int;
begin
  select count(*) into v_urls from regexp_matches(v_text, private.url_pattern(), 'gi');
  if v_urls > 0 then
    v_text := regexp_replace(v_text, private.url_pattern(), '', 'gi');
  end if;
  -- U+FFFC weighs 2 like every character outside the four light ranges.
  v_text := regexp_replace(v_text, private.emoji_pattern(), U&'\FFFC', 'g');
  return v_urls * p_url_length + char_length(v_text)
    + char_length(regexp_replace(v_text, '[\u0001-\u10FF\u2000-\u200D\u2010-\u201F\u2032-\u2037]', '', 'g'));
end;
$$;
comment on function private.weighted_length(text, int) is 'Length of a text as X counts it.';
