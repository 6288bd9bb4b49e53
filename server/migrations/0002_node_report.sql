-- A report that goes is looked for in the nodes that name it as their last: without this, each costs a walk over all.
CREATE INDEX node_report ON node (report);
