-- Every bid of a person who sells too, with the person and each of their auctions. State: all persons, auctions and bids, for ever; a row of one side looks up the others.
CREATE TEMPORARY TABLE q23 (
  auction BIGINT, price BIGINT, channel STRING, url STRING, bid_dateTime TIMESTAMP(3), bid_extra STRING,
  person BIGINT, name STRING, emailAddress STRING, creditCard STRING, city STRING, state STRING, person_extra STRING,
  sold BIGINT, itemName STRING, description STRING, initialBid BIGINT, reserve BIGINT,
  auction_dateTime TIMESTAMP(3), expires TIMESTAMP(3), category BIGINT, auction_extra STRING
) WITH (${sink});

INSERT INTO q23
SELECT
  b.auction, b.price, b.channel, b.url, b.`dateTime`, b.extra,
  p.id, p.name, p.emailAddress, p.creditCard, p.city, p.state, p.extra,
  a.id, a.itemName, a.description, a.initialBid, a.reserve, a.`dateTime`, a.expires, a.category, a.extra
FROM bid AS b
JOIN person AS p ON b.bidder = p.id
JOIN auction AS a ON b.bidder = a.seller;
