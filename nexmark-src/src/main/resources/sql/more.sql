-- What single queries need besides person, auction and bid, whichever tables those come from.
CREATE TEMPORARY VIEW clocked_bid AS
SELECT *, PROCTIME() AS proc_time FROM bid;

CREATE TEMPORARY TABLE side_input (
  id BIGINT, side STRING
) WITH ('connector' = 'nexmark-side');
