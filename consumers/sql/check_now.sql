-- Constraints that would wait for COMMIT speak up at once, while it is known which rows they mean.
SET CONSTRAINTS ALL IMMEDIATE
