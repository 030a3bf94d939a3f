-- The transactions as functions, so that each is one statement of the client's. Every call is a transaction of its own.
CREATE OR REPLACE FUNCTION new_order(w int, d int, c int, items int[], warehouses int[], quantities int[], wrong bool) RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE
  lines int := cardinality(items);
  customer_tax numeric; discount numeric; last_name text; credit text; district_tax numeric;
  o int; price numeric; item_name text; item_data text; stock_left int; stock_data text; info text; amount numeric; total numeric := 0;
BEGIN
  SELECT w_tax, c_discount, c_last, c_credit INTO customer_tax, discount, last_name, credit
    FROM warehouse, customer WHERE w_id = w AND c_w_id = w_id AND c_d_id = d AND c_id = c;
  UPDATE district SET d_next_o_id = d_next_o_id + 1 WHERE d_w_id = w AND d_id = d RETURNING d_next_o_id - 1, d_tax INTO o, district_tax;
  INSERT INTO orders VALUES (w, d, o, c, now(), NULL, lines, (w = ALL (warehouses))::int);
  INSERT INTO new_order VALUES (w, d, o);
  FOR n IN 1 .. lines LOOP
    -- The last item of one order in a hundred does not exist; the client rolls the order back.
    IF wrong AND n = lines THEN
      PERFORM i_price FROM item WHERE i_id = 100001;
      EXIT;
    END IF;
    SELECT i_price, i_name, i_data INTO price, item_name, item_data FROM item WHERE i_id = items[n];
    SELECT s_quantity, s_data, s_dist[d] INTO stock_left, stock_data, info
      FROM stock WHERE s_i_id = items[n] AND s_w_id = warehouses[n] FOR UPDATE;
    stock_left := stock_left - quantities[n];
    IF stock_left < 10 THEN
      stock_left := stock_left + 91;
    END IF;
    UPDATE stock SET s_quantity = stock_left, s_ytd = s_ytd + quantities[n], s_order_cnt = s_order_cnt + 1,
      s_remote_cnt = s_remote_cnt + (warehouses[n] <> w)::int WHERE s_i_id = items[n] AND s_w_id = warehouses[n];
    amount := quantities[n] * price;
    total := total + amount;
    INSERT INTO order_line VALUES (w, d, o, n, items[n], warehouses[n], NULL, quantities[n], amount, info);
  END LOOP;
  RETURN total * (1 - discount) * (1 + customer_tax + district_tax);
END $$;

-- The customer by number or, if there is a name, the middle one of those who have it.
CREATE OR REPLACE FUNCTION chosen_customer(w int, d int, c int, name text) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
  namesakes int; chosen int;
BEGIN
  IF name IS NULL THEN
    RETURN c;
  END IF;
  SELECT count(c_id) INTO namesakes FROM customer WHERE c_w_id = w AND c_d_id = d AND c_last = name;
  SELECT c_id INTO chosen FROM customer WHERE c_w_id = w AND c_d_id = d AND c_last = name ORDER BY c_first OFFSET (namesakes + 1) / 2 - 1 LIMIT 1;
  RETURN chosen;
END $$;

CREATE OR REPLACE FUNCTION payment(w int, d int, cw int, cd int, number int, name text, amount numeric) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  warehouse_name text; district_name text; credit text; c int;
BEGIN
  UPDATE warehouse SET w_ytd = w_ytd + amount WHERE w_id = w RETURNING w_name INTO warehouse_name;
  UPDATE district SET d_ytd = d_ytd + amount WHERE d_w_id = w AND d_id = d RETURNING d_name INTO district_name;
  c := chosen_customer(cw, cd, number, name);
  SELECT c_credit INTO credit FROM customer WHERE c_w_id = cw AND c_d_id = cd AND c_id = c;
  IF credit = 'BC' THEN
    UPDATE customer SET c_balance = c_balance - amount, c_ytd_payment = c_ytd_payment + amount, c_payment_cnt = c_payment_cnt + 1,
      c_data = left(concat_ws(' ', c, cd, cw, d, w, amount, c_data), 500) WHERE c_w_id = cw AND c_d_id = cd AND c_id = c;
  ELSE
    UPDATE customer SET c_balance = c_balance - amount, c_ytd_payment = c_ytd_payment + amount, c_payment_cnt = c_payment_cnt + 1
      WHERE c_w_id = cw AND c_d_id = cd AND c_id = c;
  END IF;
  INSERT INTO history VALUES (c, cd, cw, d, w, now(), amount, 'payment');
  RETURN warehouse_name || ' ' || district_name;
END $$;

CREATE OR REPLACE FUNCTION order_status(cw int, cd int, number int, name text) RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE
  c int; o int; line record; total numeric := 0;
BEGIN
  c := chosen_customer(cw, cd, number, name);
  PERFORM c_balance, c_first, c_middle, c_last FROM customer WHERE c_w_id = cw AND c_d_id = cd AND c_id = c;
  SELECT o_id INTO o FROM orders WHERE o_w_id = cw AND o_d_id = cd AND o_c_id = c ORDER BY o_id DESC LIMIT 1;
  FOR line IN SELECT ol_i_id, ol_supply_w_id, ol_quantity, ol_amount, ol_delivery_d FROM order_line
      WHERE ol_w_id = cw AND ol_d_id = cd AND ol_o_id = o LOOP
    total := total + line.ol_amount;
  END LOOP;
  RETURN total;
END $$;

CREATE OR REPLACE FUNCTION delivery(w int, carrier int) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
  o int; c int; total numeric; delivered int := 0;
BEGIN
  FOR d IN 1 .. 10 LOOP
    SELECT no_o_id INTO o FROM new_order WHERE no_w_id = w AND no_d_id = d ORDER BY no_o_id LIMIT 1;
    CONTINUE WHEN NOT FOUND;
    DELETE FROM new_order WHERE no_w_id = w AND no_d_id = d AND no_o_id = o;
    UPDATE orders SET o_carrier_id = carrier WHERE o_w_id = w AND o_d_id = d AND o_id = o RETURNING o_c_id INTO c;
    UPDATE order_line SET ol_delivery_d = now() WHERE ol_w_id = w AND ol_d_id = d AND ol_o_id = o;
    SELECT sum(ol_amount) INTO total FROM order_line WHERE ol_w_id = w AND ol_d_id = d AND ol_o_id = o;
    UPDATE customer SET c_balance = c_balance + total, c_delivery_cnt = c_delivery_cnt + 1 WHERE c_w_id = w AND c_d_id = d AND c_id = c;
    delivered := delivered + 1;
  END LOOP;
  RETURN delivered;
END $$;

CREATE OR REPLACE FUNCTION stock_level(w int, d int, threshold int) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  next int; low bigint;
BEGIN
  SELECT d_next_o_id INTO next FROM district WHERE d_w_id = w AND d_id = d;
  SELECT count(DISTINCT s_i_id) INTO low FROM order_line, stock
    WHERE ol_w_id = w AND ol_d_id = d AND ol_o_id >= next - 20 AND ol_o_id < next AND s_w_id = w AND s_i_id = ol_i_id AND s_quantity < threshold;
  RETURN low;
END $$;
