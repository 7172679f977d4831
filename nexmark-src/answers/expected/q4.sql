WITH highest AS (SELECT id, any_value(category) AS category, max(price) AS price FROM winning GROUP BY id)
SELECT category, sum(price) // count(*) FROM highest GROUP BY category
