SELECT auction, bidder, price, channel, url, ms("dateTime"), extra
FROM bid
QUALIFY row_number() OVER (PARTITION BY bidder, auction ORDER BY "dateTime" DESC, number DESC) = 1
