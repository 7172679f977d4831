SELECT bidder, count_if(number < (SELECT number FROM q12_early)) AS early, count(*) AS made FROM bid GROUP BY bidder
