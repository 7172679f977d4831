-- The ten highest bids of every auction. State: those ten per auction, for ever; every bid is compared with them.
-- key: auction, place
CREATE TEMPORARY TABLE q19 (
  auction BIGINT, bidder BIGINT, price BIGINT, channel STRING, url STRING,
  `dateTime` TIMESTAMP(3), extra STRING,
  place BIGINT
) WITH (${sink});

INSERT INTO q19
SELECT auction, bidder, price, channel, url, `dateTime`, extra, place
FROM (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY auction ORDER BY price DESC) AS place
  FROM bid
)
WHERE place <= 10;
