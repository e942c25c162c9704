//! End-to-end tests against the running stack, one module per product area.
//!
//! Invariant: every test makes its own tenant, so all of them run at once.
//! Failure: without a stack they panic and name the command that starts one.

mod badges;
mod catalogue;
mod checkin_config;
mod checkin_door;
mod checkin_flow;
mod checkin_idempotency;
mod checkin_live;
mod checkin_scan;
mod checkin_undo;
mod dashboard;
mod device_status;
mod devices;
mod exit_all;
mod exports;
mod flushes;
mod groups;
mod guest_scanners;
mod guest_tables;
mod http_conventions;
mod identity;
mod imports;
mod imports_vendors;
mod live_connection;
mod logs;
mod members;
mod offline;
mod offline_reports;
mod operations;
mod pairing;
mod phones;
mod places;
mod policies;
mod questions;
mod roster;
mod roster_pushes;
mod several_tables;
mod sign_in;
mod socket_scans;
mod standing;
mod strange_inputs;
mod tenancy;
mod tickets;
mod tickets_issued;
mod tokens;
mod unpaid;
mod webhooks;
mod webhooks_sent;
mod writes;
