-- Whenever a person's bids on an auction fell, one after the other, and then rose: from when to when, and when they were lowest. State: of
-- every pair of auction and bidder the bids that the watermark has not passed, then those of the fall that goes on, for ever.
CREATE TEMPORARY TABLE cep0 (
  auction BIGINT, bidder BIGINT, starts TIMESTAMP(3), lowest TIMESTAMP(3), ends TIMESTAMP(3)
) WITH (${sink});

INSERT INTO cep0
SELECT auction, bidder, starts, lowest, ends
FROM bid
MATCH_RECOGNIZE (
  PARTITION BY auction, bidder
  ORDER BY `dateTime`
  MEASURES high.`dateTime` AS starts, LAST(fall.`dateTime`) AS lowest, rise.`dateTime` AS ends
  ONE ROW PER MATCH
  -- The bid that ends one fall may begin the next.
  AFTER MATCH SKIP TO LAST rise
  PATTERN (high fall+ rise)
  DEFINE
    fall AS fall.price < COALESCE(LAST(fall.price, 1), high.price),
    rise AS rise.price > LAST(fall.price)
);
