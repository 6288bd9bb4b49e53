-- Reports are found by the agent's id of their run: by their number in this store, whoever sees one sees how many others send.
CREATE INDEX report_run ON report (run);
ALTER TABLE last_run ADD COLUMN run TEXT;
UPDATE last_run SET run = (SELECT report.run FROM node JOIN report ON report.id = node.report WHERE node.id = last_run.node);
