WITH ranked AS (
  SELECT *, strftime("dateTime", '%Y-%m-%d') AS day,
    CASE WHEN price < 10000 THEN 1 WHEN price < 1000000 THEN 2 ELSE 3 END AS rank
  FROM bid
)
SELECT
  day,
  count(*), sum((rank = 1)::INT), sum((rank = 2)::INT), sum((rank = 3)::INT),
  count(DISTINCT bidder),
  count(DISTINCT if(rank = 1, bidder, NULL)), count(DISTINCT if(rank = 2, bidder, NULL)), count(DISTINCT if(rank = 3, bidder, NULL)),
  count(DISTINCT auction),
  count(DISTINCT if(rank = 1, auction, NULL)), count(DISTINCT if(rank = 2, auction, NULL)), count(DISTINCT if(rank = 3, auction, NULL))
FROM ranked GROUP BY day
