//! The program as it is operated: several servers on one database, and what happens to them on a bad day.
//!
//! What takes minutes is ignored here, and run by `.ci/run operations`.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod capif;
mod clients;
mod clock;
mod exchange;
mod external;
mod fleet;
#[path = "../support/http.rs"]
mod http;
mod killed;
mod outage;
mod person;
#[path = "../support/postgres.rs"]
mod postgres;
mod preissue;
#[path = "../support/program.rs"]
mod program;
mod reseal;
mod restart;
mod restore;
mod rollover;
mod schema;
mod sharing;
#[path = "../support/site.rs"]
mod site;
mod softhsm;
#[path = "../support/mod.rs"]
mod support;
mod traffic;
