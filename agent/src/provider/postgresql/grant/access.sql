WITH want(key, role, kind, schema, name) AS (VALUES
{rows}
), asked AS (
  SELECT w.*, n.oid AS namespace, CASE WHEN w.role = 'public' THEN 0::oid ELSE r.oid END AS grantee
  FROM want w LEFT JOIN pg_roles r ON r.rolname = w.role LEFT JOIN pg_namespace n ON n.nspname = w.schema
), object(key, grantee, name, owner, acl, untouched, relation) AS (
  SELECT a.key, a.grantee, d.datname, d.datdba, coalesce(d.datacl, acldefault('d', d.datdba)), d.datacl IS NULL, NULL::oid
  FROM asked a JOIN pg_database d ON d.datname = a.name WHERE a.kind = 'database'
  UNION ALL
  SELECT a.key, a.grantee, n.nspname, n.nspowner, coalesce(n.nspacl, acldefault('n', n.nspowner)), n.nspacl IS NULL, NULL::oid
  FROM asked a JOIN pg_namespace n ON n.oid = a.namespace WHERE a.kind = 'schema'
  UNION ALL
  SELECT a.key, a.grantee, c.relname, c.relowner,
    coalesce(c.relacl, acldefault(CASE c.relkind WHEN 'S' THEN 's'::"char" ELSE 'r'::"char" END, c.relowner)), c.relacl IS NULL,
    c.oid
  FROM asked a JOIN pg_class c ON c.relnamespace = a.namespace
  WHERE (a.name IS NULL OR c.relname = a.name)
    AND (a.kind IN ('table', 'all_tables') AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
      OR a.kind IN ('sequence', 'all_sequences') AND c.relkind = 'S')
)
SELECT json_object_agg(a.key, json_build_object(
  'role', a.grantee IS NOT NULL,
  'superuser', (SELECT coalesce(bool_or(r.rolsuper), false) FROM pg_roles r WHERE r.oid = a.grantee),
  'schema', a.namespace IS NOT NULL,
  'objects', (SELECT coalesce(json_agg(json_build_object('name', o.name, 'untouched', o.untouched, 'columns',
      (SELECT coalesce(json_agg(DISTINCT e.privilege_type), '[]') FROM pg_attribute t, aclexplode(t.attacl) e
       WHERE t.attrelid = o.relation AND NOT t.attisdropped AND e.grantee = o.grantee), 'by_others',
      (SELECT coalesce(json_object_agg(p.privilege, p.by), '{{}}')
       FROM (SELECT e.privilege_type, json_agg(DISTINCT g.rolname)
             FROM aclexplode(o.acl) e LEFT JOIN pg_roles g ON g.oid = e.grantee
             WHERE o.grantee <> 0 AND e.grantee <> o.grantee
               AND (e.grantee = 0 OR pg_has_role(o.grantee, g.oid, 'USAGE'))
             GROUP BY e.privilege_type
            ) p(privilege, by)), 'held',
      (SELECT coalesce(json_object_agg(p.privilege, json_build_object('grantable', p.grantable, 'other', p.other)), '{{}}')
       FROM (SELECT e.privilege_type, bool_or(e.is_grantable),
               min(pg_get_userbyid(e.grantor)::text) FILTER (WHERE e.grantor <> o.owner)
             FROM aclexplode(o.acl) e WHERE e.grantee = o.grantee GROUP BY e.privilege_type
            ) p(privilege, grantable, other))) ORDER BY o.name), '[]')
    FROM object o WHERE o.key = a.key),
  'defaults', (SELECT coalesce(json_object_agg(m.rolname,
      (SELECT coalesce(json_object_agg(e.privilege_type,
          json_build_object('grantable', e.is_grantable, 'other', NULL)), '{{}}')
       FROM pg_default_acl f, aclexplode(f.defaclacl) e
       WHERE f.defaclrole = m.oid AND f.defaclnamespace = a.namespace AND e.grantee = a.grantee
         AND f.defaclobjtype = CASE a.kind WHEN 'all_sequences' THEN 'S'::"char" ELSE 'r'::"char" END)), '{{}}')
    FROM pg_roles m WHERE m.rolname IN ({makers}))))
FROM asked a;
