-- When a certificate of a node was refused that has a successor: the machine may be an older copy of itself.
ALTER TABLE node ADD COLUMN refused_at INTEGER;
