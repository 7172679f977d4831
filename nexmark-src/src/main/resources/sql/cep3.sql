-- When did a person's bids on an auction fall by more than 50 in less than five seconds, and by how much? State: of every pair of auction
-- and bidder the bids of the last five seconds.
CREATE TEMPORARY TABLE cep3 (
  auction BIGINT, bidder BIGINT, fell TIMESTAMP(3), amount BIGINT
) WITH (${sink});

INSERT INTO cep3
SELECT auction, bidder, fell, amount
FROM bid
MATCH_RECOGNIZE (
  PARTITION BY auction, bidder
  ORDER BY `dateTime`
  MEASURES low.`dateTime` AS fell, high.price - low.price AS amount
  ONE ROW PER MATCH
  AFTER MATCH SKIP PAST LAST ROW
  PATTERN (high near* low) WITHIN INTERVAL '5' SECOND
  DEFINE
    near AS near.price > high.price - 50,
    low AS low.price < high.price - 50
);
