SELECT
  auction, bidder, price * 0.908::DECIMAL(4, 3) AS euros,
  CASE
    WHEN hour("dateTime") >= 8 AND hour("dateTime") <= 18 THEN 'day'
    WHEN hour("dateTime") < 7 OR hour("dateTime") > 19 THEN 'night'
    ELSE 'other'
  END,
  ms("dateTime"), extra, length(regexp_replace(extra, '[^c]', '', 'g'))
FROM bid WHERE euros > 1000000 AND euros < 50000000
