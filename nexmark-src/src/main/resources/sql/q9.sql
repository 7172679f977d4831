-- The winning bid of every auction. State: all auctions and bids for the join, one best bid per auction, for ever.
-- The best is the highest price, then the earliest bid: the one that leaves most time. Both in one column, for Flink 2.1 to 2.3 plan the
-- first place by two columns as if it were never replaced (FLINK-40368) and then take back no bid.
-- key: id
CREATE TEMPORARY TABLE q9 (
  id BIGINT, itemName STRING, description STRING, initialBid BIGINT, reserve BIGINT,
  `dateTime` TIMESTAMP(3), expires TIMESTAMP(3), seller BIGINT, category BIGINT, extra STRING,
  auction BIGINT, bidder BIGINT, price BIGINT, bid_dateTime TIMESTAMP(3), bid_extra STRING
) WITH (${sink});

INSERT INTO q9
SELECT
  id, itemName, description, initialBid, reserve, `dateTime`, expires, seller, category, extra,
  auction, bidder, price, bid_dateTime, bid_extra
FROM (
  SELECT
    a.*, b.auction, b.bidder, b.price, b.`dateTime` AS bid_dateTime, b.extra AS bid_extra,
    ROW_NUMBER() OVER (PARTITION BY a.id ORDER BY ROW(b.price, (a.expires - b.`dateTime`) DAY TO SECOND) DESC) AS place
  FROM auction AS a
  JOIN bid AS b ON a.id = b.auction AND b.`dateTime` BETWEEN a.`dateTime` AND a.expires
)
WHERE place <= 1;
