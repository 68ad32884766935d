-- private.rule_words, private.rule_message(rule, unit, limit, measured)
-- Why:     what a rule that is not kept is called before people: in words, with the figures, in units that people use.
-- Caller:  private.target_problems().
-- Errors:  none: a rule without words gets a general sentence.
-- Repeat:  safe; nothing is written.

create table private.rule_words (
  rule text primary key,
  words text not null,
  constraint words_are_a_short_sentence check (length(words) between 10 and 120)
);
comment on table private.rule_words is 'Each rule that is not kept, in words for people.';

insert into private.rule_words (rule, words) values
  ('content_required', 'There is neither a text nor a file'),
  ('text_length', 'The text is too long'),
  ('title_required', 'The title is missing'),
  ('title_length', 'The title is too long'),
  ('tags_length', 'The tags are too long together'),
  ('hashtag_count', 'There are too many hashtags'),
  ('mention_count', 'Too many people are mentioned'),
  ('forbidden_characters', 'The title or the text has characters that the platform refuses, such as < and >'),
  ('media_required', 'A picture or a video is missing'),
  ('video_required', 'The video is missing'),
  ('file_count', 'There are too many files'),
  ('image_count', 'There are too many pictures'),
  ('gif_count', 'There are too many GIFs'),
  ('video_count', 'There are too many videos'),
  ('document_count', 'There are too many documents'),
  ('media_kind_count', 'Pictures, GIFs, videos and documents cannot be mixed'),
  ('image_bytes', 'A picture is too large'),
  ('gif_bytes', 'A GIF is too large'),
  ('video_bytes', 'A video is too large'),
  ('document_bytes', 'A document is too large'),
  ('image_pixels', 'A picture has too many pixels'),
  ('image_ratio_min', 'A picture is too tall for its width'),
  ('image_ratio_max', 'A picture is too wide for its height'),
  ('video_ratio_min', 'A video is too tall for its width'),
  ('video_ratio_max', 'A video is too wide for its height'),
  ('video_ms_min', 'A video is too short'),
  ('video_ms_max', 'A video is too long'),
  ('video_ms_unverified', 'Only channels that YouTube has verified may upload a video this long'),
  ('story_file_count', 'A story takes one file'),
  ('story_video_ms_max', 'A video is too long for a story'),
  ('media_types', 'The platform does not take files of this type'),
  ('alt_text', 'A picture has no description for people who cannot see it'),
  ('thumbnail_count', 'There is more than one thumbnail'),
  ('thumbnail_bytes', 'The thumbnail is too large'),
  ('thumbnail_types', 'The thumbnail is of a type that the platform does not take'),
  ('follow_up_count', 'There are too many follow-ups, or the platform takes none'),
  ('follow_up_length', 'A follow-up is too long'),
  ('follow_up_scopes', 'The account was connected without the permission to write comments'),
  ('follow_up_audience', 'Private videos and videos made for children have no comments');

create function private.in_words(p_value numeric, p_unit text) returns text
language sql immutable security invoker set search_path = '' as $$
  select case p_unit
    when 'bytes' then case when p_value >= 1073741824 then trim_scale(round(p_value / 1073741824, 1)) || ' GB'
                           when p_value >= 1048576 then trim_scale(round(p_value / 1048576, 1)) || ' MB'
                           when p_value >= 1024 then trim_scale(round(p_value / 1024, 1)) || ' KB' else p_value || ' bytes' end
    when 'milliseconds' then case when p_value >= 60000 then trim_scale(round(p_value / 60000, 1)) || ' minutes'
                                  else trim_scale(round(p_value / 1000, 1)) || ' seconds' end
    when 'ratio' then trim_scale(round(p_value, 2))::text
    else round(p_value)::text end
$$;
comment on function private.in_words(numeric, text) is 'A measure in the unit that people use for it.';

-- Figures help where there are two of them: "300, at most 280". Rules about what is missing speak for themselves.
create function private.rule_message(p_rule text, p_unit text, p_limit numeric, p_measured numeric) returns text
language sql stable security invoker set search_path = '' as $$
  select coalesce((select w.words from private.rule_words w where w.rule = p_rule), 'A rule of the platform is not kept')
    || case when p_limit > 0 and p_measured is not null and p_rule !~ '_(required|types)$|^media_kind_count$' then
         format(' (%s, %s %s)', private.in_words(p_measured, p_unit),
                case when p_rule like '%\_min' then 'at least' else 'at most' end, private.in_words(p_limit, p_unit))
       else '' end
$$;
comment on function private.rule_message(text, text, numeric, numeric) is 'A rule that is not kept, in words for people.';
