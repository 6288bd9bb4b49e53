//! Pages over a seeded store.
