--! Previous: sha1:f1af80674617aefc1f300fd7ec4a0266fa92e6db
--! Hash: sha1:d1a173316515a70d122e81ac8a8af3c0986db826
--! Message: sentences for constraints

-- What a client is told when a constraint does not hold stands in its comment (docs/dba.md).
comment on constraint users_pkey on app_public.users is 'there is a user with this rowId already';
comment on constraint users_email_key on app_public.users is 'there is a user with this email already';
comment on constraint users_email_check on app_public.users is 'email must be an address of 3 to 255 characters, in lower case';
comment on constraint users_username_check on app_public.users is 'username must have 3 to 50 of letters, digits, _ and -';

comment on constraint lists_pkey on app_public.lists is 'there is a list with this rowId already';
comment on constraint lists_user_id_fkey on app_public.lists is 'there is no such user';
comment on constraint lists_user_id_name_key on app_public.lists is 'there is a list with this name already';
comment on constraint lists_name_check on app_public.lists is 'name must have 1 to 255 characters';

comment on constraint todos_pkey on app_public.todos is 'there is a todo with this rowId already';
comment on constraint todos_user_id_fkey on app_public.todos is 'there is no such user';
comment on constraint todos_user_id_list_id_fkey on app_public.todos is 'listId must name a list of yours';
comment on constraint todos_title_check on app_public.todos is 'title must have 1 to 255 characters';
comment on constraint todos_description_check on app_public.todos is 'description must have at most 10000 characters';
comment on constraint todos_priority_check on app_public.todos is 'priority must be a number from 0 to 5';
