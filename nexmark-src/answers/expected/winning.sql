-- Every bid that an auction got while it was open.
SELECT a.*, b.number AS bid_number, b.bidder, b.price, b."dateTime" AS bid_time, b.extra AS bid_extra
FROM auction a JOIN bid b ON b.auction = a.id
WHERE b."dateTime" >= a."dateTime" AND b."dateTime" <= a.expires
