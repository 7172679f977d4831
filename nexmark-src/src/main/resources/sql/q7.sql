-- The highest bids of every ten seconds. State: all bids of the last ten seconds, one maximum per window; every maximum looks up its bids.
CREATE TEMPORARY TABLE q7 (
  auction BIGINT, bidder BIGINT, price BIGINT, `dateTime` TIMESTAMP(3), extra STRING
) WITH (${sink});

INSERT INTO q7
SELECT b.auction, b.bidder, b.price, b.`dateTime`, b.extra
FROM bid AS b
JOIN (
  SELECT MAX(price) AS price, window_time AS `dateTime`
  FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(`dateTime`), INTERVAL '10' SECOND))
  GROUP BY window_start, window_end, window_time
) AS h ON b.price = h.price AND b.`dateTime` BETWEEN h.`dateTime` - INTERVAL '10' SECOND AND h.`dateTime`;
