-- Who from Oregon, Idaho or California sells in category 10? State: those persons and auctions, for ever; a row of one side looks up the other.
CREATE TEMPORARY TABLE q3 (
  name STRING, city STRING, state STRING, id BIGINT
) WITH (${sink});

INSERT INTO q3
SELECT p.name, p.city, p.state, a.id
FROM auction AS a
JOIN person AS p ON a.seller = p.id
WHERE a.category = 10 AND p.state IN ('OR', 'ID', 'CA');
