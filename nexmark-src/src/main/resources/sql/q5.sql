-- Which auctions had the most bids in the last ten seconds, asked every two? State: bids per auction of the open windows.
CREATE TEMPORARY TABLE q5 (
  auction BIGINT, bids BIGINT
) WITH (${sink});

INSERT INTO q5
WITH counts AS (
  SELECT auction, COUNT(*) AS bids, window_start, window_end
  FROM TABLE(HOP(TABLE bid, DESCRIPTOR(`dateTime`), INTERVAL '2' SECOND, INTERVAL '10' SECOND))
  GROUP BY auction, window_start, window_end
),
most AS (
  SELECT MAX(bids) AS bids, window_start, window_end FROM counts GROUP BY window_start, window_end
)
SELECT c.auction, c.bids
FROM counts AS c
JOIN most AS m ON c.window_start = m.window_start AND c.window_end = m.window_end AND c.bids = m.bids;
