/* Each returns no row where the books are right. The numbers are the standard's, clause 3.3.2. */
-- 1 warehouse and districts
SELECT w_id, w_ytd, sum(d_ytd) FROM warehouse JOIN district ON d_w_id = w_id GROUP BY w_id, w_ytd HAVING w_ytd <> sum(d_ytd);
-- 2 next order
SELECT * FROM (SELECT d_w_id, d_id, d_next_o_id - 1 AS next, (SELECT max(o_id) FROM orders WHERE o_w_id = d_w_id AND o_d_id = d_id) AS o,
    (SELECT max(no_o_id) FROM new_order WHERE no_w_id = d_w_id AND no_d_id = d_id) AS n FROM district) q WHERE next <> o OR n <> o;
-- 3 no holes in new orders
SELECT no_w_id, no_d_id FROM new_order GROUP BY 1, 2 HAVING max(no_o_id) - min(no_o_id) + 1 <> count(*);
-- 4 lines of districts
SELECT * FROM (SELECT o_w_id, o_d_id, sum(o_ol_cnt) AS said FROM orders GROUP BY 1, 2) o FULL JOIN
    (SELECT ol_w_id, ol_d_id, count(*) AS are FROM order_line GROUP BY 1, 2) l ON (o_w_id, o_d_id) = (ol_w_id, ol_d_id) WHERE said IS DISTINCT FROM are;
-- 5 carriers and new orders
SELECT o_w_id, o_d_id, o_id FROM orders LEFT JOIN new_order ON (no_w_id, no_d_id, no_o_id) = (o_w_id, o_d_id, o_id)
    WHERE (o_carrier_id IS NULL) <> (no_o_id IS NOT NULL);
-- 6 lines of orders
SELECT * FROM orders FULL JOIN (SELECT ol_w_id, ol_d_id, ol_o_id, count(*) AS are FROM order_line GROUP BY 1, 2, 3) l
    ON (o_w_id, o_d_id, o_id) = (ol_w_id, ol_d_id, ol_o_id) WHERE o_ol_cnt IS DISTINCT FROM are;
-- 7 lines delivered
SELECT o_w_id, o_d_id, o_id, ol_number FROM order_line JOIN orders ON (o_w_id, o_d_id, o_id) = (ol_w_id, ol_d_id, ol_o_id)
    WHERE (ol_delivery_d IS NULL) <> (o_carrier_id IS NULL);
-- 8 warehouse and history
SELECT w_id, w_ytd, sum(h_amount) FROM warehouse JOIN history ON h_w_id = w_id GROUP BY w_id, w_ytd HAVING w_ytd <> sum(h_amount);
-- 9 district and history
SELECT d_w_id, d_id, d_ytd, sum(h_amount) FROM district JOIN history ON (h_w_id, h_d_id) = (d_w_id, d_id)
    GROUP BY 1, 2, 3 HAVING d_ytd <> sum(h_amount);
-- 10 balances
SELECT c_w_id, c_d_id, c_id, c_balance, ordered, paid FROM customer
    LEFT JOIN (SELECT o_w_id, o_d_id, o_c_id, sum(ol_amount) AS ordered FROM orders JOIN order_line ON (ol_w_id, ol_d_id, ol_o_id) = (o_w_id, o_d_id, o_id)
    WHERE ol_delivery_d IS NOT NULL GROUP BY 1, 2, 3) o ON (o_w_id, o_d_id, o_c_id) = (c_w_id, c_d_id, c_id)
    LEFT JOIN (SELECT h_c_w_id, h_c_d_id, h_c_id, sum(h_amount) AS paid FROM history GROUP BY 1, 2, 3) h ON (h_c_w_id, h_c_d_id, h_c_id) = (c_w_id, c_d_id, c_id)
    WHERE c_balance <> coalesce(ordered, 0) - coalesce(paid, 0);
-- 12 payments
SELECT c_w_id, c_d_id, c_id FROM customer
    LEFT JOIN (SELECT o_w_id, o_d_id, o_c_id, sum(ol_amount) AS ordered FROM orders JOIN order_line ON (ol_w_id, ol_d_id, ol_o_id) = (o_w_id, o_d_id, o_id)
    WHERE ol_delivery_d IS NOT NULL GROUP BY 1, 2, 3) o ON (o_w_id, o_d_id, o_c_id) = (c_w_id, c_d_id, c_id)
    WHERE c_balance + c_ytd_payment <> coalesce(ordered, 0);
-- stock and lines
SELECT s_w_id, s_i_id, s_ytd, s_order_cnt FROM stock LEFT JOIN (SELECT ol_supply_w_id, ol_i_id, sum(ol_quantity) AS sold, count(*) AS times
    FROM order_line WHERE ol_o_id > 3000 GROUP BY 1, 2) l ON (ol_supply_w_id, ol_i_id) = (s_w_id, s_i_id)
    WHERE s_ytd <> coalesce(sold, 0) OR s_order_cnt <> coalesce(times, 0);
-- stock below zero
SELECT s_w_id, s_i_id, s_quantity FROM stock WHERE s_quantity < 0;
