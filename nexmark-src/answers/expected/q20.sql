SELECT
  b.auction, b.bidder, b.price, b.channel, b.url, ms(b."dateTime"), b.extra,
  a.itemName, a.description, a.initialBid, a.reserve, ms(a."dateTime"), ms(a.expires), a.seller, a.category, a.extra
FROM auction a JOIN bid b ON b.auction = a.id
WHERE a.category = 10
