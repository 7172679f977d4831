-- How long did the mean of a person's bids on an auction stay below 10,000? The bid that ends a period is part of no other. State: of every
-- pair of auction and bidder the bids of each period that goes on, and periods that have ended while an earlier one goes on, for ever.
CREATE TEMPORARY TABLE cep1 (
  auction BIGINT, bidder BIGINT, starts TIMESTAMP(3), ends TIMESTAMP(3), mean_price BIGINT
) WITH (${sink});

INSERT INTO cep1
SELECT auction, bidder, starts, ends, mean_price
FROM bid
MATCH_RECOGNIZE (
  PARTITION BY auction, bidder
  ORDER BY `dateTime`
  MEASURES FIRST(cheap.`dateTime`) AS starts, LAST(cheap.`dateTime`) AS ends, AVG(cheap.price) AS mean_price
  ONE ROW PER MATCH
  AFTER MATCH SKIP PAST LAST ROW
  PATTERN (cheap+ dear)
  DEFINE cheap AS AVG(cheap.price) < 10000
);
