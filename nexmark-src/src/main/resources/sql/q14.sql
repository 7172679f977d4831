-- Bids of a middle price in euros, with the time of day in words and how often their text has a 'c'. State: none.
CREATE TEMPORARY TABLE q14 (
  auction BIGINT, bidder BIGINT, price DECIMAL(23, 3), bid_time STRING, `dateTime` TIMESTAMP(3), extra STRING, c_count BIGINT
) WITH (${sink});

INSERT INTO q14
SELECT
  auction, bidder, 0.908 * price AS price,
  CASE
    WHEN HOUR(`dateTime`) BETWEEN 8 AND 18 THEN 'day'
    WHEN HOUR(`dateTime`) <= 6 OR HOUR(`dateTime`) >= 20 THEN 'night'
    ELSE 'other'
  END,
  `dateTime`, extra, CAST(CHAR_LENGTH(extra) - CHAR_LENGTH(REPLACE(extra, 'c', '')) AS BIGINT)
FROM bid
WHERE 0.908 * price > 1000000 AND 0.908 * price < 50000000;
