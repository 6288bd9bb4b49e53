//! The routes as nodes meet them, hostile ones above all: a real server, real mTLS.

mod bodies;
mod crowd;
mod enrolment;
mod hostile;
mod polling;
mod tenants;
mod restored;
