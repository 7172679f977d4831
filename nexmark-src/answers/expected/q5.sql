WITH windows AS (
  SELECT auction, unnest(generate_series(ms("dateTime") // 2000 * 2000 - 8000, ms("dateTime") // 2000 * 2000, 2000)) AS starts
  FROM bid
), counted AS (
  SELECT auction, starts, count(*) AS bids FROM windows GROUP BY auction, starts
)
SELECT auction, bids FROM counted QUALIFY bids = max(bids) OVER (PARTITION BY starts)
