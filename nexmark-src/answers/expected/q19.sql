SELECT auction, bidder, price, channel, url, ms("dateTime"), extra,
  row_number() OVER (PARTITION BY auction ORDER BY price DESC, number) AS place
FROM bid
QUALIFY place <= 10
