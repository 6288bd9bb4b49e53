-- From which address a join string was used: who comes with it again is told, and knows whether that was the same machine.
ALTER TABLE token ADD COLUMN used_from TEXT;
