-- How many records of these ranges are dead letters, by state.
SELECT d.state, count(*)
FROM dead_letters AS d
JOIN unnest(%(partitions)s::integer[], %(begins)s::bigint[], %(ends)s::bigint[]) AS r (partition, first, last)
  ON d.origin_partition = r.partition AND d.origin_offset >= r.first AND d.origin_offset < r.last
WHERE d.origin_topic_id = %(topic_id)s
GROUP BY 1
ORDER BY 1
