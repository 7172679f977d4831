SELECT DISTINCT p.id, p.name, ms(p."dateTime") // 10000 * 10000
FROM person p JOIN auction a ON a.seller = p.id AND ms(a."dateTime") // 10000 = ms(p."dateTime") // 10000
