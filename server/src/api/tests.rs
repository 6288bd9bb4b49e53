//! Tests of the routes as nodes use them, and above all as hostile ones do: with a real server and real mTLS.

mod bodies;
mod crowd;
mod enrolment;
mod hostile;
mod polling;
mod tenants;
mod restored;
