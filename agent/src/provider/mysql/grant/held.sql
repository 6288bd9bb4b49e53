SELECT JSON_OBJECT('account', CONCAT('''', User, '''@''', Host, ''''))
FROM mysql.global_priv WHERE (User, Host) IN ({pairs}) AND NOT COALESCE(JSON_VALUE(Priv, '$.is_role'), 0);
SELECT JSON_OBJECT('table', CONCAT(TABLE_SCHEMA, '.', TABLE_NAME)) FROM information_schema.TABLES WHERE {tables};
SELECT JSON_OBJECT('known', PRIVILEGE_TYPE) FROM information_schema.USER_PRIVILEGES
WHERE GRANTEE = CONCAT('''', REPLACE(CURRENT_USER(), '@', '''@'''), '''');
SELECT JSON_OBJECT('privilege', JSON_OBJECT('who', GRANTEE, 'on', '*.*', 'name', PRIVILEGE_TYPE, 'option', IS_GRANTABLE))
FROM information_schema.USER_PRIVILEGES WHERE GRANTEE IN ({grantees});
SELECT JSON_OBJECT('privilege', JSON_OBJECT('who', GRANTEE, 'on', CONCAT(TABLE_SCHEMA, '.*'), 'name', PRIVILEGE_TYPE,
  'option', IS_GRANTABLE))
FROM information_schema.SCHEMA_PRIVILEGES WHERE GRANTEE IN ({grantees}) AND TABLE_SCHEMA <> '*';
SELECT JSON_OBJECT('privilege', JSON_OBJECT('who', GRANTEE, 'on', CONCAT(TABLE_SCHEMA, '.', TABLE_NAME),
  'name', PRIVILEGE_TYPE, 'option', IS_GRANTABLE))
FROM information_schema.TABLE_PRIVILEGES WHERE GRANTEE IN ({grantees}) AND TABLE_NAME <> '*';
SELECT JSON_OBJECT('column', JSON_OBJECT('who', GRANTEE, 'on', CONCAT(TABLE_SCHEMA, '.', TABLE_NAME),
  'name', PRIVILEGE_TYPE, 'column', COLUMN_NAME))
FROM information_schema.COLUMN_PRIVILEGES WHERE GRANTEE IN ({grantees});
