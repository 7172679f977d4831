-- How many bids did a person make in every ten seconds by the machine's clock? State: bids per person of the open window. The answer depends on when it is asked.
CREATE TEMPORARY TABLE q12 (
  bidder BIGINT, bids BIGINT, starts TIMESTAMP(3), ends TIMESTAMP(3)
) WITH (${sink});

INSERT INTO q12
SELECT bidder, COUNT(*), window_start, window_end
FROM TABLE(TUMBLE(TABLE clocked_bid, DESCRIPTOR(proc_time), INTERVAL '10' SECOND))
GROUP BY bidder, window_start, window_end;
