-- What a report weighs unpacked, which bounds its events too: a node keeps so much, however well it packs.
ALTER TABLE report ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;
