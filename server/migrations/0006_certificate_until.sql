-- Until when each node's newest certificate is valid, for lists of all nodes.
CREATE INDEX certificate_until ON certificate (node, not_after) WHERE retired_at IS NULL;
