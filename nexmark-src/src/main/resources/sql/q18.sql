-- The last bid of every person on every auction. State: one bid per pair of bidder and auction, for ever; every bid looks its pair up.
-- key: bidder, auction
CREATE TEMPORARY TABLE q18 (
  auction BIGINT, bidder BIGINT, price BIGINT, channel STRING, url STRING,
  `dateTime` TIMESTAMP(3), extra STRING
) WITH (${sink});

INSERT INTO q18
SELECT auction, bidder, price, channel, url, `dateTime`, extra
FROM (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY bidder, auction ORDER BY `dateTime` DESC) AS newest
  FROM bid
)
WHERE newest <= 1;
