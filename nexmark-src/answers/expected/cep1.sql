-- By a chain of periods, each the first that begins after the one before has ended. One that goes on at the end of the stream keeps all later
-- ones back: it would come before them.
WITH RECURSIVE linked AS MATERIALIZED (
  SELECT p.*, n.first AS next
  FROM periods p ASOF LEFT JOIN periods n ON n.auction = p.auction AND n.bidder = p.bidder AND p.dear < n.first
), chain AS (
  SELECT * FROM linked QUALIFY row_number() OVER (PARTITION BY auction, bidder ORDER BY first) = 1
  UNION ALL
  SELECT n.* FROM chain c JOIN linked n ON n.auction = c.auction AND n.bidder = c.bidder AND n.first = c.next
)
SELECT auction, bidder, starts, ends, mean_price FROM chain WHERE dear IS NOT NULL
