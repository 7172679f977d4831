-- The mean winning price of each category. State: all auctions and bids for the join, one maximum per auction, one mean per category; every bid changes the latter.
CREATE TEMPORARY TABLE q4 (
  category BIGINT, mean_price BIGINT, PRIMARY KEY (category) NOT ENFORCED
) WITH (${sink});

INSERT INTO q4
SELECT category, AVG(price) AS mean_price
FROM (
  SELECT a.id, a.category, MAX(b.price) AS price
  FROM auction AS a
  JOIN bid AS b ON a.id = b.auction AND b.`dateTime` BETWEEN a.`dateTime` AND a.expires
  GROUP BY a.id, a.category
)
GROUP BY category;
