-- The table or index of this name, if there is one.
SELECT to_regclass(%(name)s)
