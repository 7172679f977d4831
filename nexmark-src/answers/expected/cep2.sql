-- One that goes on at the end of the stream keeps all later ones back: it would come before them.
SELECT auction, bidder, starts, ends, mean_price
FROM periods
QUALIFY bool_and(dear IS NOT NULL) OVER (PARTITION BY auction, bidder ORDER BY first)
