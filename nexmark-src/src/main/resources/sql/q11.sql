-- How many bids did a person make in each session, one that ends after ten quiet seconds? State: the open session of every person.
CREATE TEMPORARY TABLE q11 (
  bidder BIGINT, bids BIGINT, starts TIMESTAMP(3), ends TIMESTAMP(3)
) WITH (${sink});

INSERT INTO q11
SELECT bidder, COUNT(*), SESSION_START(`dateTime`, INTERVAL '10' SECOND), SESSION_END(`dateTime`, INTERVAL '10' SECOND)
FROM bid
GROUP BY bidder, SESSION(`dateTime`, INTERVAL '10' SECOND);
