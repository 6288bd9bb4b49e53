-- What reports say of a node, kept beside it: a list of all nodes reads no history.
ALTER TABLE node ADD COLUMN runs_on TEXT;        -- the commit of its last enforcing run
ALTER TABLE node ADD COLUMN drifted_at INTEGER;  -- when something had last drifted
ALTER TABLE node ADD COLUMN changed_at INTEGER;  -- when something was last changed on purpose
ALTER TABLE node ADD COLUMN failed_at INTEGER;   -- when something last failed
ALTER TABLE node ADD COLUMN report_bytes INTEGER NOT NULL DEFAULT 0; -- what its reports weigh together
UPDATE node SET
  runs_on = (SELECT commit_id FROM report WHERE report.node = node.id AND mode = 'enforce' AND commit_id IS NOT NULL
             ORDER BY received_at DESC, id DESC LIMIT 1),
  drifted_at = (SELECT max(received_at) FROM event WHERE event.node = node.id AND cause = 'corrective'
                AND status IN ('changed', 'would_change')),
  changed_at = (SELECT max(received_at) FROM event WHERE event.node = node.id AND status = 'changed'
                AND coalesce(cause, '') <> 'corrective'),
  failed_at = (SELECT max(received_at) FROM event WHERE event.node = node.id AND status = 'failed');
DROP INDEX event_received;

-- What a node was offered is not what it runs on.
ALTER TABLE node DROP COLUMN commit_id;

-- Runs that found nothing to do go before those that did. Each report weighs a KiB at least, as its row does.
ALTER TABLE report ADD COLUMN quiet INTEGER NOT NULL DEFAULT 0;
UPDATE report SET bytes = max(bytes, 1024), quiet = error IS NULL
  AND NOT EXISTS (SELECT 1 FROM event WHERE event.report = report.id);
UPDATE node SET report_bytes = (SELECT coalesce(sum(bytes), 0) FROM report WHERE report.node = node.id);
CREATE INDEX report_quiet ON report (node, received_at) WHERE quiet = 1;
CREATE TRIGGER report_takes_its_weight_along AFTER DELETE ON report
BEGIN UPDATE node SET report_bytes = report_bytes - old.bytes WHERE id = old.node; END;

-- Why a node has no new catalog, in short, for lists of nodes.
ALTER TABLE compile_error ADD COLUMN code TEXT NOT NULL DEFAULT '';
ALTER TABLE compile_error ADD COLUMN message TEXT NOT NULL DEFAULT '';
ALTER TABLE compile_error ADD COLUMN errors INTEGER NOT NULL DEFAULT 0;
UPDATE compile_error SET code = coalesce(json_extract(diagnostics, '$[0].code'), ''),
  message = coalesce(json_extract(diagnostics, '$[0].message'), ''), errors = json_array_length(diagnostics);
