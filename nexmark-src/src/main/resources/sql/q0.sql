-- Every bid, unchanged: the cost of the source alone. State: none.
CREATE TEMPORARY TABLE q0 (
  auction BIGINT, bidder BIGINT, price BIGINT, `dateTime` TIMESTAMP(3), extra STRING
) WITH (${sink});

INSERT INTO q0
SELECT auction, bidder, price, `dateTime`, extra FROM bid;
