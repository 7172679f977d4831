-- The event stream; the options are filled in by NexmarkJob.
-- Columns of the three rows are columns of the table too: the planner does not look into rows above a watermark, and would have whole rows made.
CREATE TEMPORARY TABLE events (
  event_type INT,
  person ROW<
    id BIGINT, name STRING, emailAddress STRING, creditCard STRING, city STRING, state STRING,
    `dateTime` TIMESTAMP(3), extra STRING>,
  auction ROW<
    id BIGINT, itemName STRING, description STRING, initialBid BIGINT, reserve BIGINT,
    `dateTime` TIMESTAMP(3), expires TIMESTAMP(3), seller BIGINT, category BIGINT, extra STRING>,
  bid ROW<
    auction BIGINT, bidder BIGINT, price BIGINT, channel STRING, url STRING,
    `dateTime` TIMESTAMP(3), extra STRING>,
  `dateTime` AS
    CASE event_type WHEN 0 THEN person.`dateTime` WHEN 1 THEN auction.`dateTime` ELSE bid.`dateTime` END,
  p_id AS person.id, p_name AS person.name, p_emailAddress AS person.emailAddress, p_creditCard AS person.creditCard,
  p_city AS person.city, p_state AS person.state, p_extra AS person.extra,
  a_id AS auction.id, a_itemName AS auction.itemName, a_description AS auction.description,
  a_initialBid AS auction.initialBid, a_reserve AS auction.reserve, a_expires AS auction.expires,
  a_seller AS auction.seller, a_category AS auction.category, a_extra AS auction.extra,
  b_auction AS bid.auction, b_bidder AS bid.bidder, b_price AS bid.price, b_channel AS bid.channel, b_url AS bid.url,
  b_extra AS bid.extra,
  WATERMARK FOR `dateTime` AS `dateTime` - INTERVAL '4' SECOND
) WITH (
  'connector' = 'nexmark'
  ${options}
);

CREATE TEMPORARY VIEW person AS
SELECT
  p_id AS id, p_name AS name, p_emailAddress AS emailAddress, p_creditCard AS creditCard, p_city AS city,
  p_state AS state, `dateTime`, p_extra AS extra
FROM events WHERE event_type = 0;

CREATE TEMPORARY VIEW auction AS
SELECT
  a_id AS id, a_itemName AS itemName, a_description AS description, a_initialBid AS initialBid, a_reserve AS reserve,
  `dateTime`, a_expires AS expires, a_seller AS seller, a_category AS category, a_extra AS extra
FROM events WHERE event_type = 1;

CREATE TEMPORARY VIEW bid AS
SELECT
  b_auction AS auction, b_bidder AS bidder, b_price AS price, b_channel AS channel, b_url AS url, `dateTime`,
  b_extra AS extra
FROM events WHERE event_type = 2;
