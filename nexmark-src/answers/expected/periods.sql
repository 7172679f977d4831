-- Periods in which the mean of a person's bids on an auction is below 10,000, from each such bid on; `ends` and what hangs on it is null of
-- those that go on. By a join of every bid with the later ones of its pair, and sums that grow from bid to bid.
WITH bids AS (
  SELECT auction, bidder, ms("dateTime") AS moment, price,
    row_number() OVER pair AS place, sum(price) OVER pair AS until
  FROM bid WINDOW pair AS (PARTITION BY auction, bidder ORDER BY "dateTime", number)
), dear AS (
  SELECT f.auction, f.bidder, f.place AS first, min(d.place) AS dear
  FROM bids f LEFT JOIN bids d ON d.auction = f.auction AND d.bidder = f.bidder AND d.place > f.place
    AND d.until - f.until + f.price >= 10000 * (d.place - f.place + 1)
  WHERE f.price < 10000
  GROUP BY ALL
)
SELECT p.auction, p.bidder, p.first, p.dear, f.moment AS starts, l.moment AS ends,
  ((l.until - f.until + f.price) // (p.dear - p.first))::BIGINT AS mean_price
FROM dear p
JOIN bids f ON f.auction = p.auction AND f.bidder = p.bidder AND f.place = p.first
LEFT JOIN bids l ON l.auction = p.auction AND l.bidder = p.bidder AND l.place = p.dear - 1
