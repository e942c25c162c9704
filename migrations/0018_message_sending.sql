-- How messages are sent: claimed and settled like webhook deliveries, reported on by providers, sent again by hand.
--
-- Invariant: what outboxes share is here once, for deliveries and for message_deliveries. Only the latest claim of a
-- row settles it.
-- Lock order: endpoint or channel, delivery, attempt.
-- Failure: a sender that dies lets its leases run out; the next take finds what it was sending.

create function app.millis(p jsonb) returns interval language sql immutable parallel safe
  as $$ select make_interval(secs => p::double precision / 1000) $$;

-- What outboxes have in common, by the names of their tables (constants of the functions below): the rows, the log of
-- their attempts, and the endpoints that rows go to.

-- Settles what was sent, in rows that nobody claimed since, and notes the attempts. Answers what they say of their
-- endpoints. p_status and p_also set what is peculiar to these rows, from the row d and the result r.
create function app.settle_attempts(p_rows regclass, p_log regclass, p_endpoints regclass, p_to name, p_results jsonb,
  p_status text default 'r.outcome', p_also text default '') returns jsonb language plpgsql set search_path = pg_catalog, public, app, pg_temp as $$
declare
  v_settled jsonb;
begin
  execute format($sql$
    select from %1$s e
    where e.id in (select d.%3$I from %2$s d where d.id in (select (r ->> 'id')::uuid from jsonb_array_elements($1) r))
    order by e.id for no key update $sql$, p_endpoints, p_rows, p_to) using p_results;
  execute format($sql$
    with settled as (
      update %1$s d set status = %4$s, attempts = d.attempts + 1, step = d.step + 1, lease_until = null,
        due_at = case when r.after_ms is null then d.due_at
                 else now() + make_interval(secs => r.after_ms / 1000.0) end,
        settled_at = case when r.outcome <> 'pending' then now() end, last_status = r.status, last_error = r.error %5$s
      from jsonb_to_recordset($1) as r (id uuid, fence bigint, outcome text, after_ms bigint, at timestamptz,
        duration_ms integer, status integer, answer text, error text, health text, pause_ms bigint, unclear boolean,
        bounced boolean, provider_id text)
      where d.id = r.id and d.fence = r.fence and d.status in ('pending', 'sending', 'unknown')
        and (d.lease_until is not null or d.status = 'unknown')
      returning d.tenant_id, d.%3$I as endpoint, d.attempts, r.*),
    noted as (
      insert into %2$s (delivery_id, tenant_id, number, at, duration_ms, status, answer, error)
      select id, tenant_id, attempts, at, duration_ms, status, answer, error from settled)
    select coalesce(jsonb_agg(jsonb_build_object('endpoint', endpoint, 'health', health, 'pause_ms', pause_ms)), '[]')
    from settled $sql$, p_rows, p_log, p_to, p_status, p_also) into v_settled using p_results;
  return v_settled;
end
$$;

-- An endpoint that answers well is no longer failing; one that fails for too long, or is gone, is switched off. An
-- answer about one message alone says nothing of its endpoint ('unsaid').
create function app.note_health(p_endpoints regclass, p_settled jsonb, p_give_up interval) returns void
language plpgsql set search_path = pg_catalog, public, app, pg_temp as $$
begin
  execute format($sql$
    update %1$s e set
      failing_since = case when h.well then null else coalesce(e.failing_since, now()) end,
      paused_until = case when h.well then null
                     else greatest(e.paused_until, now() + make_interval(secs => h.pause_ms / 1000.0)) end,
      enabled = e.enabled and not h.over,
      disabled_at = case when e.enabled and h.over then now() else e.disabled_at end,
      disabled_reason = case when e.enabled and h.over then case when h.gone then 'gone' else 'failing' end
                        else e.disabled_reason end
    from (
      select x.*, x.gone or not x.well and coalesce(f.failing_since < now() - $2, false) as over
      from (select (s ->> 'endpoint')::uuid as id, bool_or(s ->> 'health' = 'well') as well,
                   bool_or(s ->> 'health' = 'gone') as gone, max((s ->> 'pause_ms')::bigint) as pause_ms
            from jsonb_array_elements($1) s where s ->> 'health' <> 'unsaid' group by 1) x
      join %1$s f on f.id = x.id) h
    where e.id = h.id and (not h.well or e.failing_since is not null or e.paused_until is not null or h.gone)
    $sql$, p_endpoints) using p_settled, p_give_up;
end
$$;

-- What is due, up to `free`: no endpoint gets more than `per_endpoint` at once, one that fails no more than
-- `per_failing`, and each gets its first before any gets its second. Which rows wait and which are under way is given
-- in the words of their indexes.
create function app.due_rows(p_rows regclass, p_endpoints regclass, p_to name, p_waiting text, p_flying text, p jsonb)
returns uuid[] language plpgsql set search_path = pg_catalog, public, app, pg_temp as $$
declare
  v_picked uuid[];
begin
  execute format($sql$
    select array_agg(due.id)
    from (
      select d.id
      from %2$s e
      cross join lateral (
        select case when e.failing_since is null then $1 else $2 end - count(*) as room
        from %1$s f where f.%3$I = e.id and f.%5$s and f.lease_until > now()) r
      cross join lateral (
        select q.id, row_number() over (order by q.due_at, q.id) as nth, q.due_at
        from (select w.id, w.due_at from %1$s w
              where w.%3$I = e.id and w.%4$s and w.due_at <= now()
                and (w.lease_until is null or w.lease_until <= now())
              order by w.due_at, w.id limit greatest(r.room, 0) for update skip locked) q) d
      where e.enabled and (e.paused_until is null or e.paused_until <= now())
      order by d.nth, d.due_at, d.id limit $3) due
    $sql$, p_rows, p_endpoints, p_to, p_waiting, p_flying)
  into v_picked using (p ->> 'per_endpoint')::integer, (p ->> 'per_failing')::integer, (p ->> 'free')::integer;
  return v_picked;
end
$$;

-- Whether something is due that could be sent now.
create function app.more_due(p_rows regclass, p_endpoints regclass, p_to name, p_waiting text, p_flying text, p jsonb)
returns boolean language plpgsql set search_path = pg_catalog, public, app, pg_temp as $$
declare
  v_more boolean;
begin
  execute format($sql$
    select exists (
      select from %2$s e
      cross join lateral (
        select count(*) as flying from %1$s f where f.%3$I = e.id and f.%5$s and f.lease_until > now()) f
      where e.enabled and (e.paused_until is null or e.paused_until <= now())
        and f.flying < case when e.failing_since is null then $1 else $2 end
        and exists (select from %1$s w
                    where w.%3$I = e.id and w.%4$s and w.due_at <= now()
                      and (w.lease_until is null or w.lease_until <= now())))
    $sql$, p_rows, p_endpoints, p_to, p_waiting, p_flying)
  into v_more using (p ->> 'per_endpoint')::integer, (p ->> 'per_failing')::integer;
  return v_more;
end
$$;

create or replace function app.take_deliveries(p jsonb) returns jsonb language plpgsql
set search_path = pg_catalog, public, app, pg_temp set plan_cache_mode = force_custom_plan as $$
declare
  c_open    constant text := $sql$status = 'pending'$sql$;
  v_settled jsonb := '[]';
  v_picked  uuid[];
  v_claimed jsonb;
begin
  perform app.system_only();
  if jsonb_array_length(coalesce(p -> 'results', '[]')) > 0 then
    v_settled := app.settle_attempts('deliveries', 'delivery_attempts', 'webhook_endpoints', 'endpoint_id', p -> 'results');
    perform app.note_health('webhook_endpoints', v_settled, app.millis(p -> 'give_up_ms'));
  end if;
  if (p ->> 'free')::integer > 0 then
    v_picked := app.due_rows('deliveries', 'webhook_endpoints', 'endpoint_id', c_open, c_open, p);
    with claimed as (
      update deliveries d set lease_until = now() + app.millis(p -> 'lease_ms'), fence = d.fence + 1
      where d.id = any (v_picked)
      returning d.*)
    select jsonb_agg(jsonb_build_object('id', c.id, 'fence', c.fence, 'step', c.step, 'channel', c.channel,
        'event_id', c.event_id, 'event', c.event_type, 'table_id', c.table_id, 'entry', l.entry, 'payload', c.payload,
        'created_at', app.utc(c.created_at), 'endpoint_id', e.id, 'url', e.url, 'secret', e.secret,
        'previous_secret', case when e.previous_until > now() then e.previous_secret end)
        order by c.due_at, c.id) into v_claimed
    from claimed c
    join webhook_endpoints e on e.id = c.endpoint_id
    left join pulse_scan_log l on l.table_id = c.table_id and l.seq = c.seq;
  end if;
  return jsonb_build_object('settled', jsonb_array_length(v_settled), 'claimed', coalesce(v_claimed, '[]'),
    'more', app.more_due('deliveries', 'webhook_endpoints', 'endpoint_id', c_open, c_open, p));
end
$$;

-- What tenants send by the deployment's channel: a row each, of the day of the last mail.
create table mail_spending (
  tenant_id uuid not null constraint mail_spending_pkey primary key
    constraint mail_spending_tenant_fkey references tenants on delete cascade,
  day       date not null,
  mails     bigint not null
);
comment on column mail_spending.day is 'UTC.';
call app.protect('mail_spending');
grant select, insert, update on mail_spending to pulse_app;

-- Of what was picked, what the tenant may still send today. Mail by the deployment's channel beyond the budget fails
-- and says why; it counts once, when it is first sent.
create function app.within_mail_budget(p_picked uuid[], p_budget bigint) returns uuid[] language plpgsql
set search_path = pg_catalog, public, app, pg_temp as $$
declare
  v_fresh uuid[] := array(
    select d.id
    from unnest(p_picked) with ordinality k (id, place)
    join message_deliveries d on d.id = k.id join channels c on c.id = d.channel_id
    where c.kind = 'default' and d.fence = 0 order by k.place);
  v_mails bigint;
begin
  if cardinality(v_fresh) = 0 then
    return p_picked;
  end if;
  insert into mail_spending as s (tenant_id, day, mails) values (app.tenant(), (now() at time zone 'UTC')::date, 0)
  on conflict (tenant_id) do update set day = excluded.day, mails = case when s.day = excluded.day then s.mails else 0 end
  returning mails into v_mails;
  v_fresh := v_fresh[greatest(p_budget - v_mails, 0) + 1 :];
  update message_deliveries d set status = 'failed', last_error = 'mails_of_the_day_spent', settled_at = now()
  where d.id = any (v_fresh);
  return array(select k.id from unnest(p_picked) with ordinality k (id, place) where k.id <> all (v_fresh) order by k.place);
end
$$;

-- Of the caller's tenant: settles what was sent, looks after what was being sent when its sender died, then claims
-- what is due, up to `free` and to `free_bytes` of content.
create function app.take_messages(p jsonb) returns jsonb language plpgsql
set search_path = pg_catalog, public, app, pg_temp set plan_cache_mode = force_custom_plan as $$
declare
  c_waiting constant text := $sql$status = 'pending'$sql$;
  c_flying  constant text := $sql$status = 'sending'$sql$;
  v_settled jsonb := '[]';
  v_picked  uuid[];
  v_claimed jsonb;
begin
  perform app.system_only();
  if jsonb_array_length(coalesce(p -> 'results', '[]')) > 0 then
    -- What failed now may have arrived by an earlier attempt that nobody answered.
    v_settled := app.settle_attempts('message_deliveries', 'message_attempts', 'channels', 'channel_id', p -> 'results',
      $sql$case when r.outcome = 'failed' and d.unclear_since < d.claimed_at then 'unknown' else r.outcome end$sql$,
      $sql$, unclear_since = case when r.unclear or d.unclear_since < d.claimed_at then d.unclear_since end,
        bounce = case when r.bounced then 'hard' else d.bounce end,
        bounced_at = case when r.bounced then now() else d.bounced_at end,
        provider_id = coalesce(r.provider_id, d.provider_id)$sql$);
    insert into suppressions (id, tenant_id, address, reason, note)
    select app.new_id(), d.tenant_id, lower(d.recipient), 'bounce', left(r ->> 'answer', 500)
    from jsonb_array_elements(p -> 'results') r
    join message_deliveries d on d.id = (r ->> 'id')::uuid and d.fence = (r ->> 'fence')::bigint
    where (r ->> 'bounced')::boolean and d.recipient <> ''
    on conflict do nothing;
    perform app.note_health('channels', v_settled, app.millis(p -> 'give_up_ms'));
  end if;

  with lost as (
    update message_deliveries d set status = x.status, lease_until = null, attempts = d.attempts + 1, step = d.step + 1,
      due_at = now(), last_status = null, last_error = 'interrupted',
      settled_at = case when x.status = 'unknown' then now() end
    from (select l.id, case when l.unclear_since > now() - app.key_life(l.channel_kind)
                            and l.step < (p ->> 'most_steps')::integer then 'pending' else 'unknown' end as status
          from message_deliveries l where l.status = 'sending' and l.lease_until <= now() for no key update skip locked) x
    where d.id = x.id
    returning d.*)
  insert into message_attempts (delivery_id, tenant_id, number, at, duration_ms, error)
  select id, tenant_id, attempts, claimed_at, extract(epoch from now() - claimed_at) * 1000, 'interrupted' from lost;

  -- Whose key was forgotten meanwhile, and who does not want it any more.
  update message_deliveries d
  set status = case when d.unclear_since is null then 'suppressed' else 'unknown' end, settled_at = now()
  from messages m
  where m.id = d.message_id and d.status = 'pending' and d.due_at <= now()
    and (d.unclear_since <= now() - app.key_life(d.channel_kind)
         or d.recipient <> '' and app.suppressed(d.tenant_id, d.recipient, m.topic_kind, m.topic_id));

  if (p ->> 'free')::integer > 0 then
    v_picked := app.due_rows('message_deliveries', 'channels', 'channel_id', c_waiting, c_flying, p);
    if p ->> 'mail_budget' is not null then
      v_picked := app.within_mail_budget(v_picked, (p ->> 'mail_budget')::bigint);
    end if;
    with claimed as (
      update message_deliveries d set status = 'sending', lease_until = now() + app.millis(p -> 'lease_ms'),
        fence = d.fence + 1, claimed_at = now(), unclear_since = coalesce(d.unclear_since, now()),
        channel_kind = case c.kind when 'default' then p ->> 'default_kind' else c.kind end
      from (select k.id, m.bytes, m.subject, sum(m.bytes) over (order by k.ordinality) as sum
            from unnest(v_picked) with ordinality k (id)
            join message_deliveries i on i.id = k.id join messages m on m.id = i.message_id) k, channels c
      where d.id = k.id and c.id = d.channel_id and k.sum <= (p ->> 'free_bytes')::bigint
      returning d.*, k.bytes, c.kind, c.settings, c.secrets, c.previous_until),
    counted as (
      update mail_spending s set mails = s.mails + x.mails
      from (select count(*) as mails from claimed where kind = 'default' and fence = 1) x
      where p ->> 'mail_budget' is not null and x.mails > 0 and s.tenant_id = app.tenant())
    select jsonb_agg(jsonb_build_object('id', c.id, 'fence', c.fence, 'step', c.step, 'message_id', c.message_id,
        'key_number', c.key_number, 'bytes', c.bytes, 'recipient', c.recipient, 'created_at', app.utc(c.created_at),
        'channel', jsonb_build_object('id', c.channel_id, 'kind', c.kind, 'sends_by', c.channel_kind, 'settings', c.settings,
          'secrets', case when c.previous_until > now() then c.secrets else c.secrets - 'previous_secret' end))
        order by c.due_at, c.id) into v_claimed
    from claimed c;
  end if;
  return jsonb_build_object('settled', jsonb_array_length(v_settled), 'claimed', coalesce(v_claimed, '[]'),
    'more', app.more_due('message_deliveries', 'channels', 'channel_id', c_waiting, c_flying, p));
end
$$;

create function app.channel_json(c channels) returns jsonb language plpgsql stable as $$
begin
  return jsonb_build_object('id', c.id, 'kind', c.kind, 'name', c.name, 'settings', c.settings,
    'secrets', (select coalesce(jsonb_agg(k order by k), '[]') from jsonb_object_keys(c.secrets - 'previous_secret') k),
    'default', c.is_default, 'enabled', c.enabled, 'failing_since', app.utc(c.failing_since),
    'paused_until', case when c.paused_until > now() then app.utc(c.paused_until) end,
    'disabled_at', app.utc(c.disabled_at), 'disabled_reason', c.disabled_reason,
    'previous_secret_until', case when c.previous_until > now() then app.utc(c.previous_until) end,
    'created_by', c.created_by, 'version', c.version, 'created_at', app.utc(c.created_at),
    'updated_at', app.utc(c.updated_at));
end
$$;
create function app.message_json(d message_deliveries) returns jsonb language plpgsql stable as $$
begin
  return (select jsonb_build_object('id', d.id, 'message_id', d.message_id, 'source_kind', d.source_kind,
    'source_id', d.source_id, 'topic_kind', m.topic_kind, 'topic_id', m.topic_id, 'topic_name', m.topic_name,
    'subject', m.subject, 'channel_id', d.channel_id, 'channel_kind', d.channel_kind, 'channel_name', d.channel_name,
    'recipient', nullif(d.recipient, ''), 'status', d.status, 'attempt_count', d.attempts,
    'next_attempt_at', case when d.status = 'pending' then app.utc(d.due_at) end, 'last_status', d.last_status,
    'last_error', d.last_error, 'provider_id', d.provider_id, 'sent_at', app.utc(d.sent_at),
    'delivered_at', app.utc(d.delivered_at), 'bounced_at', app.utc(d.bounced_at), 'bounce', d.bounce,
    'complained_at', app.utc(d.complained_at), 'settled_at', app.utc(d.settled_at), 'created_at', app.utc(d.created_at))
  from messages m where m.id = d.message_id);
end
$$;

-- A message that shows whether a channel works; no row when there is no such channel.
create function app.test_channel(p jsonb) returns jsonb language plpgsql volatile
set search_path = pg_catalog, public, app, pg_temp as $$
declare
  c channels;
begin
  select * into c from channels where id = (p ->> 'channel_id')::uuid;
  if not found then
    return null;
  elsif not c.enabled then
    perform app.fail('PU409', 'channel_disabled', 'Enable the channel first.');
  elsif not app.is_address(app.address_kind(c.kind), p ->> 'address') then
    perform app.fail('PU422', 'invalid_' || app.address_kind(c.kind), case app.address_kind(c.kind)
      when 'email' then 'Must be an email address such as ada@example.org.'
      else 'Must be a phone number such as +14155550123.' end, '/address');
  end if;
  perform app.post_message(p || jsonb_build_object('source_kind', 'channel_test', 'source_id', p ->> 'id',
    'recipients', jsonb_build_array(jsonb_build_object('channel_id', c.id, 'address', p ->> 'address'))));
  return (select app.message_json(d) from message_deliveries d where d.message_id = (p ->> 'id')::uuid);
end
$$;

-- Sends again what failed, or may not have arrived. The latter keeps its key, by which a provider, or at least a
-- mailbox, knows what it has already.
create function app.retry_message(p jsonb) returns jsonb language plpgsql volatile
set search_path = pg_catalog, public, app, pg_temp as $$
declare
  c channels;
  d message_deliveries;
begin
  select x.* into d from message_deliveries x where x.id = (p ->> 'id')::uuid;
  if not found then
    return null;
  end if;
  select * into c from channels where id = d.channel_id for no key update;
  if not found then
    perform app.fail('PU409', 'channel_gone', 'Its channel is no longer there.');
  elsif not c.enabled then
    perform app.fail('PU409', 'channel_disabled', 'Enable the channel first.');
  end if;
  select x.* into d from message_deliveries x where x.id = d.id for no key update;
  if d.status = 'sent' then
    perform app.fail('PU409', 'already_sent', 'It was sent; the recipient would get it twice.');
  elsif d.status in ('pending', 'sending') then
    perform app.fail('PU409', 'being_sent', 'It is being sent, or will be by itself.');
  elsif exists (select from messages m where m.id = d.message_id and d.recipient <> ''
                and app.suppressed(d.tenant_id, d.recipient, m.topic_kind, m.topic_id)) then
    perform app.fail('PU409', 'suppressed', 'The recipient does not want it or cannot get it; see the suppressions.');
  elsif not app.is_address(app.address_kind(c.kind), d.recipient) then
    perform app.fail('PU409', 'address_invalid', 'Its address is none.');
  end if;
  update message_deliveries x
  set status = 'pending', step = 0, due_at = now(), settled_at = null, last_error = null,
      unclear_since = case when x.unclear_since > now() - app.key_life(x.channel_kind) then x.unclear_since end,
      key_number = x.key_number + case d.status when 'unknown' then 0 else 1 end
  where x.id = d.id
  returning * into d;
  return app.message_json(d);
end
$$;

-- What a provider reports of a channel's messages. A report on one whose fate is unknown shows that it was sent.
-- Addresses that do not exist, and people who complain, get nothing more.
create function app.note_message_events(p jsonb) returns jsonb language plpgsql volatile
set search_path = pg_catalog, public, app, pg_temp as $$
declare
  v_channel uuid := (p ->> 'channel_id')::uuid;
  v_noted   integer;
begin
  perform app.system_only();
  with events as (
    select e.*, d.id as delivery, coalesce(nullif(d.recipient, ''), e.address) as whose
    from jsonb_to_recordset(p -> 'events') as e (delivery_id uuid, provider_id text, address text, event text, note text,
                                                 at timestamptz)
    left join lateral (
      select i.id, i.recipient from message_deliveries i where i.id = e.delivery_id and i.channel_id = v_channel
      union all
      select i.id, i.recipient from message_deliveries i
      where e.delivery_id is null and i.channel_id = v_channel and i.provider_id = e.provider_id
      limit 1) d on true),
  sums as (
    select delivery, min(at) filter (where event = 'delivered') as delivered,
           min(at) filter (where event in ('bounced', 'deferred')) as bounced, bool_or(event = 'bounced') as hard,
           bool_or(event = 'deferred') as soft, min(at) filter (where event = 'complained') as complained
    from events where delivery is not null group by delivery),
  noted as (
    update message_deliveries d
    set delivered_at = coalesce(d.delivered_at, s.delivered), bounced_at = coalesce(d.bounced_at, s.bounced),
        bounce = case when s.hard then 'hard' when s.soft then coalesce(d.bounce, 'soft') else d.bounce end,
        complained_at = coalesce(d.complained_at, s.complained),
        status = case d.status when 'unknown' then 'sent' else d.status end
    from sums s
    where d.id = s.delivery
    returning 1),
  suppressed as (
    insert into suppressions (id, tenant_id, address, reason, note)
    select app.new_id(), app.tenant(), x.address, x.reason, x.note
    from (select distinct on (lower(whose)) lower(whose) as address, left(note, 500) as note,
                 case event when 'bounced' then 'bounce' when 'complained' then 'complaint' else 'unsubscribe' end as reason
          from events where event in ('bounced', 'complained', 'unsubscribed')
            and (app.is_address('email', whose) or app.is_address('phone', whose))
          order by lower(whose), at) x
    on conflict do nothing)
  select count(*) into v_noted from noted;
  return jsonb_build_object('noted', v_noted);
end
$$;

-- Whose reports a channel takes, asked before anyone is known: the id alone opens nothing, what is answered is sealed.
create function app.channel_of(p jsonb) returns jsonb
language sql stable security definer set search_path = pg_catalog, public, app, pg_temp as $$
  select jsonb_build_object('id', c.id, 'tenant_id', c.tenant_id, 'kind', c.kind, 'settings', c.settings,
                            'secrets', c.secrets)
  from channels c where c.id = (p ->> 'id')::uuid
$$;

grant select (tenant_id, status, due_at, lease_until, message_id) on message_deliveries to pulse_definer;
grant execute on function app.millis(jsonb), app.take_messages(jsonb), app.channel_json(channels),
  app.message_json(message_deliveries), app.test_channel(jsonb), app.retry_message(jsonb),
  app.note_message_events(jsonb), app.channel_of(jsonb),
  app.settle_attempts(regclass, regclass, regclass, name, jsonb, text, text), app.note_health(regclass, jsonb, interval),
  app.within_mail_budget(uuid[], bigint), app.due_rows(regclass, regclass, name, text, text, jsonb), app.more_due(regclass, regclass, name, text, text, jsonb)
  to pulse_app;
call app.seal();

set local role pulse_definer;

-- Tenants with something due that nobody is sending, or that was being sent when its sender died.
create or replace function app.waiting_deliveries(p jsonb) returns jsonb
language sql stable security definer set search_path = pg_catalog, public, app, pg_temp as $$
  select coalesce(jsonb_agg(x.tenant_id), '[]')
  from (select d.tenant_id from deliveries d
        where d.status = 'pending' and d.due_at <= app.clock(p)
          and (d.lease_until is null or d.lease_until <= app.clock(p))
        union
        select m.tenant_id from message_deliveries m where m.status = 'pending' and m.due_at <= app.clock(p)
        union
        select m.tenant_id from message_deliveries m where m.status = 'sending' and m.lease_until <= app.clock(p)
        limit 500) x
$$;

-- Deliveries are kept for 30 days, messages for 90. What is yet to be sent stays.
create or replace function app.sweep_deliveries(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, public, app, pg_temp as $$
declare
  v_deliveries integer;
  v_messages   integer;
begin
  delete from deliveries where created_at < app.clock(p) - interval '30 days' and status <> 'pending';
  get diagnostics v_deliveries = row_count;
  delete from messages m where m.created_at < app.clock(p) - interval '90 days'
    and not exists (select from message_deliveries d where d.message_id = m.id and d.status in ('pending', 'sending'));
  get diagnostics v_messages = row_count;
  return jsonb_build_object('deliveries', v_deliveries, 'messages', v_messages);
end
$$;
reset role;
