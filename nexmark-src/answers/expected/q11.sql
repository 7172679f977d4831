WITH gaps AS (
  SELECT bidder, number, ms("dateTime") AS moment,
    moment - lag(moment) OVER (PARTITION BY bidder ORDER BY number) > 10000 AS quiet
  FROM bid
), sessions AS (
  SELECT bidder, moment, count_if(coalesce(quiet, false)) OVER (PARTITION BY bidder ORDER BY number) AS session FROM gaps
)
SELECT bidder, count(*), min(moment), max(moment) + 10000 FROM sessions GROUP BY bidder, session
