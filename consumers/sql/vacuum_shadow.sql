-- Statistics for the planner, which has to choose well from the first moment, and room that updates left.
VACUUM (ANALYZE) {shadow}.sessions
