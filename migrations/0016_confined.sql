-- What the policies of devices and guest scanners left open.
--
-- Invariant: they add check-ins and change none; of the answers kept for repeated requests they reach their own.
-- Failure: none; what they do not reach is not there.

create policy unchanged on pulse_check_ins as restrictive for update to pulse_app
  using ((select app.staff_tenant()) is not null);

create policy confined on idempotency_keys as restrictive to pulse_app
  using ((select app.staff_tenant()) is not null
         or actor_id = coalesce((select app.actor_id()), '00000000-0000-0000-0000-000000000000'));
