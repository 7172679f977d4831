-- By windows: a bid that rises after one that fell ends a fall, which began at the last bid before that did not fall itself.
WITH moves AS (
  SELECT auction, bidder, number, ms("dateTime") AS moment, price, lag(price) OVER pair AS before
  FROM bid WINDOW pair AS (PARTITION BY auction, bidder ORDER BY "dateTime", number)
), falls AS (
  SELECT auction, bidder, number, moment, price > before AS rises, price < before AS falls FROM moves
), placed AS (
  SELECT auction, bidder, moment, rises, lag(falls) OVER pair AS fell, lag(moment) OVER pair AS lowest,
    max(CASE WHEN falls THEN NULL ELSE number END) OVER (pair ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS high
  FROM falls WINDOW pair AS (PARTITION BY auction, bidder ORDER BY moment, number)
)
SELECT p.auction, p.bidder, ms(h."dateTime"), lowest, moment
FROM placed p JOIN bid h ON h.number = high
WHERE rises AND fell
