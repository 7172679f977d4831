-- Every bid with a value looked up in a side table. State: none; the side table is asked at every bid.
CREATE TEMPORARY TABLE q13 (
  auction BIGINT, bidder BIGINT, price BIGINT, `dateTime` TIMESTAMP(3), side STRING
) WITH (${sink});

INSERT INTO q13
SELECT b.auction, b.bidder, b.price, b.`dateTime`, s.side
FROM (SELECT *, MOD(auction, 10000) AS side_id FROM clocked_bid) AS b
JOIN side_input FOR SYSTEM_TIME AS OF b.proc_time AS s ON b.side_id = s.id;
