WITH highest AS (
  SELECT max(price) AS price, ms("dateTime") // 10000 * 10000 + 9999 AS last_ms FROM bid GROUP BY last_ms
)
SELECT b.auction, b.bidder, b.price, ms(b."dateTime"), b.extra
FROM bid b JOIN highest h ON b.price = h.price AND ms(b."dateTime") BETWEEN h.last_ms - 10000 AND h.last_ms
