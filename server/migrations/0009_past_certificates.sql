-- Certificates that ended and were replaced are found to be forgotten, without a walk over all.
CREATE INDEX certificate_past ON certificate (not_after) WHERE retired_at IS NOT NULL;
