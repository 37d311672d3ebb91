-- Gives what the superuser owns in this database to another role, as changedOwnersSql in
-- src/server/databases/dialects/postgres-roles.ts does. Run by database-roles.sh.
SET search_path = pg_catalog;
SELECT format('ALTER DATABASE %I OWNER TO %I', datname, :'owner') FROM pg_database
WHERE datname = current_database() AND datdba = 'postgres'::regrole \gexec
SELECT format('ALTER %s %s OWNER TO %I', kind, identity, :'owner') FROM (
SELECT CASE i.type WHEN 'composite type' THEN 'type' WHEN 'statistics object' THEN 'statistics' ELSE i.type END AS kind, i.identity FROM (
    SELECT 'pg_namespace'::regclass AS c, oid, nspowner AS o FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
    UNION ALL SELECT 'pg_class'::regclass, oid, relowner FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm', 'f')
    UNION ALL SELECT 'pg_class'::regclass, s.oid, s.relowner FROM pg_class s WHERE s.relkind = 'S' AND NOT EXISTS (SELECT 1 FROM pg_depend
      WHERE classid = 'pg_class'::regclass AND objid = s.oid AND refobjsubid > 0 AND deptype IN ('a', 'i'))
    UNION ALL SELECT 'pg_proc'::regclass, oid, proowner FROM pg_proc WHERE true
    UNION ALL SELECT 'pg_type'::regclass, t.oid, t.typowner FROM pg_type t WHERE t.typtype IN ('e', 'd', 'r', 'c')
      AND (t.typtype <> 'c' OR (SELECT relkind FROM pg_class WHERE oid = t.typrelid) = 'c')
    UNION ALL SELECT 'pg_collation'::regclass, oid, collowner FROM pg_collation WHERE true
    UNION ALL SELECT 'pg_statistic_ext'::regclass, oid, stxowner FROM pg_statistic_ext WHERE true
    UNION ALL SELECT 'pg_ts_config'::regclass, oid, cfgowner FROM pg_ts_config WHERE true
    UNION ALL SELECT 'pg_largeobject'::regclass, oid, lomowner FROM pg_largeobject_metadata
  ) f CROSS JOIN LATERAL pg_identify_object(f.c, f.oid, 0) i
  WHERE (f.oid >= 16384 OR i.type = 'schema') AND f.o <> :'owner'::regrole AND f.o = 'postgres'::regrole
    AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = f.c AND d.objid = f.oid AND d.deptype = 'e')
  ORDER BY i.type <> 'schema'
) AS changed \gexec
