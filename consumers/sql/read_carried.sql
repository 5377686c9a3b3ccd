-- Owner, settings, comment and rights of the live table, as statements that give them to the shadow.
WITH live AS (
    SELECT c.*, o.rolname FROM pg_class AS c JOIN pg_roles AS o ON o.oid = c.relowner
    WHERE c.oid = (quote_ident(%(schema)s) || '.sessions')::regclass
), rights AS (
    SELECT a.grantee, a.privilege_type, a.is_grantable, NULL::name AS of_column
    FROM live, aclexplode(live.relacl) AS a
    WHERE a.grantee <> live.relowner
    UNION ALL
    SELECT a.grantee, a.privilege_type, a.is_grantable, t.attname
    FROM live
    JOIN pg_attribute AS t ON t.attrelid = live.oid AND t.attnum > 0 AND NOT t.attisdropped
    CROSS JOIN aclexplode(t.attacl) AS a
)
SELECT text FROM (
    SELECT 1 AS place, format('ALTER TABLE %%I.sessions SET (%%s)', %(shadow)s::text, array_to_string(reloptions, ', ')) AS text
    FROM live WHERE reloptions IS NOT NULL
    UNION ALL
    SELECT 2, format('COMMENT ON TABLE %%I.sessions IS %%L', %(shadow)s::text, obj_description(oid, 'pg_class'))
    FROM live WHERE obj_description(oid, 'pg_class') IS NOT NULL
    UNION ALL
    SELECT 3, format(
        'GRANT %%s%%s ON %%I.sessions TO %%s%%s', privilege_type,
        CASE WHEN of_column IS NULL THEN '' ELSE format(' (%%I)', of_column) END, %(shadow)s::text,
        CASE WHEN grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END,
        CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END
    )
    FROM rights
    UNION ALL
    SELECT 4, format('ALTER TABLE %%I.sessions OWNER TO %%I', %(shadow)s::text, rolname)
    FROM live WHERE rolname <> current_user
) AS statements
ORDER BY place
