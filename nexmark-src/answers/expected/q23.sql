SELECT
  b.auction, b.price, b.channel, b.url, ms(b."dateTime"), b.extra,
  p.id, p.name, p.emailAddress, p.creditCard, p.city, p.state, p.extra,
  a.id, a.itemName, a.description, a.initialBid, a.reserve, ms(a."dateTime"), ms(a.expires), a.category, a.extra
FROM person p JOIN auction a ON a.seller = p.id JOIN bid b ON b.bidder = p.id
