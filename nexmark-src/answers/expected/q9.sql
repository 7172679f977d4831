SELECT
  id, itemName, description, initialBid, reserve, ms("dateTime"), ms(expires), seller, category, extra,
  id, bidder, price, ms(bid_time), bid_extra
FROM winning
QUALIFY row_number() OVER (PARTITION BY id ORDER BY price DESC, bid_time, bid_number) = 1
