-- By a join of every bid with the first later one of its pair that is lower by 50, then a chain of those that begin after the one before.
WITH RECURSIVE bids AS (
  SELECT auction, bidder, ms("dateTime") AS moment, price, row_number() OVER (PARTITION BY auction, bidder ORDER BY "dateTime", number) AS place
  FROM bid
), lower AS (
  SELECT h.auction, h.bidder, h.place AS high, min(l.place) AS low
  FROM bids h JOIN bids l ON l.auction = h.auction AND l.bidder = h.bidder AND l.place > h.place AND l.price <= h.price - 50
    AND l.moment - h.moment < 5000
  GROUP BY ALL
), drops AS (
  SELECT d.auction, d.bidder, high, low, l.moment AS fell, h.price - l.price AS amount
  FROM lower d
  JOIN bids h ON h.auction = d.auction AND h.bidder = d.bidder AND h.place = high
  JOIN bids l ON l.auction = d.auction AND l.bidder = d.bidder AND l.place = low
  WHERE h.price - l.price > 50
), linked AS MATERIALIZED (
  SELECT d.*, n.high AS next
  FROM drops d ASOF LEFT JOIN drops n ON n.auction = d.auction AND n.bidder = d.bidder AND d.low < n.high
), chain AS (
  SELECT * FROM linked QUALIFY row_number() OVER (PARTITION BY auction, bidder ORDER BY high) = 1
  UNION ALL
  SELECT n.* FROM chain c JOIN linked n ON n.auction = c.auction AND n.bidder = c.bidder AND n.high = c.next
)
SELECT auction, bidder, fell, amount FROM chain
