-- How long did the mean of a person's bids on an auction stay below 10,000, from each of these bids on? State: as of cep1, but every bid
-- below that begins a period, so that there are as many at a time as bids in the longest of them.
CREATE TEMPORARY TABLE cep2 (
  auction BIGINT, bidder BIGINT, starts TIMESTAMP(3), ends TIMESTAMP(3), mean_price BIGINT
) WITH (${sink});

INSERT INTO cep2
SELECT auction, bidder, starts, ends, mean_price
FROM bid
MATCH_RECOGNIZE (
  PARTITION BY auction, bidder
  ORDER BY `dateTime`
  MEASURES FIRST(cheap.`dateTime`) AS starts, LAST(cheap.`dateTime`) AS ends, AVG(cheap.price) AS mean_price
  ONE ROW PER MATCH
  AFTER MATCH SKIP TO NEXT ROW
  PATTERN (cheap+ dear)
  DEFINE cheap AS AVG(cheap.price) < 10000
);
