-- person, auction and bid out of a stream of events, each with its key, which the planner learns from this: the first row of a key stays, and no
-- other comes. So the rows are only added, as windows and patterns want them; an upsert source would replace them. State: a flag for each key.
CREATE TEMPORARY VIEW person AS
SELECT id, name, emailAddress, creditCard, city, state, `dateTime`, extra
FROM (
  SELECT
    p_id AS id, p_name AS name, p_emailAddress AS emailAddress, p_creditCard AS creditCard, p_city AS city,
    p_state AS state, `dateTime`, p_extra AS extra, ROW_NUMBER() OVER (PARTITION BY p_id ORDER BY arrival) AS place
  FROM (SELECT *, PROCTIME() AS arrival FROM events WHERE event_type = 0)
)
WHERE place = 1;

CREATE TEMPORARY VIEW auction AS
SELECT id, itemName, description, initialBid, reserve, `dateTime`, expires, seller, category, extra
FROM (
  SELECT
    a_id AS id, a_itemName AS itemName, a_description AS description, a_initialBid AS initialBid, a_reserve AS reserve,
    `dateTime`, a_expires AS expires, a_seller AS seller, a_category AS category, a_extra AS extra,
    ROW_NUMBER() OVER (PARTITION BY a_id ORDER BY arrival) AS place
  FROM (SELECT *, PROCTIME() AS arrival FROM events WHERE event_type = 1)
)
WHERE place = 1;

CREATE TEMPORARY VIEW bid AS
SELECT auction, bidder, price, channel, url, `dateTime`, extra
FROM (
  SELECT
    b_auction AS auction, b_bidder AS bidder, b_price AS price, b_channel AS channel, b_url AS url, `dateTime`,
    b_extra AS extra, ROW_NUMBER() OVER (PARTITION BY b_auction, b_bidder, b_price, `dateTime` ORDER BY arrival) AS place
  FROM (SELECT *, PROCTIME() AS arrival FROM events WHERE event_type = 2)
)
WHERE place = 1;
