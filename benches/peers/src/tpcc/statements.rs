//! What a terminal prepares: the statements of the scripts of `benches/tpcc.py`. Amounts are whole cents divided by the server, and decimals that
//! come back to it are text, as they are from pgbench.

use pglite::{Session, Statement};

macro_rules! syllable {
    ($parameter:literal) => {
        concat!(
            "(ARRAY['BAR','OUGHT','ABLE','PRI','PRES','ESE','ANTI','CALLY','ATION','EING'])[",
            $parameter,
            "]"
        )
    };
}

/// A customer's last name from the numbers (from 1) of its syllables, `$3` to `$5`.
macro_rules! name {
    () => {
        concat!(syllable!("$3"), " || ", syllable!("$4"), " || ", syllable!("$5"))
    };
}

/// The middle one of a last name's customers by first name.
macro_rules! by_name {
    ($columns:literal) => {
        concat!(
            "SELECT c_id AS c, ",
            $columns,
            " FROM customer WHERE c_w_id = $1 AND c_d_id = $2 AND c_last = ",
            name!(),
            " ORDER BY c_first OFFSET $6 LIMIT 1"
        )
    };
}

macro_rules! by_number {
    ($columns:literal) => {
        concat!(
            "SELECT ",
            $columns,
            " FROM customer WHERE c_w_id = $1 AND c_d_id = $2 AND c_id = $3"
        )
    };
}

macro_rules! statements {
    ($($name:ident: $sql:expr;)*) => {
        pub struct Statements {
            $(pub $name: Statement,)*
        }

        impl Statements {
            pub fn prepare(session: &mut Session) -> Statements {
                Statements { $($name: session.prepare($sql).unwrap(),)* }
            }
        }
    };
}

statements! {
    taxes: "SELECT w_tax, c_discount, c_last, c_credit FROM warehouse, customer WHERE w_id = $1 AND c_w_id = w_id AND c_d_id = $2 AND c_id = $3";
    next_order: "UPDATE district SET d_next_o_id = d_next_o_id + 1 WHERE d_w_id = $1 AND d_id = $2 RETURNING d_next_o_id - 1 AS o, d_tax";
    add_order: "INSERT INTO orders VALUES ($1, $2, $3, $4, now(), NULL, $5, $6)";
    add_new_order: "INSERT INTO new_order VALUES ($1, $2, $3)";
    item: "SELECT i_price AS price, i_name, i_data FROM item WHERE i_id = $1";
    no_item: "SELECT i_price FROM item WHERE i_id = 100000 + 1";
    stock: "SELECT s_quantity AS stock, s_data, s_dist[$1] AS info FROM stock WHERE s_i_id = $2 AND s_w_id = $3 FOR UPDATE";
    take_stock: "UPDATE stock SET s_quantity = $1, s_ytd = s_ytd + $2, s_order_cnt = s_order_cnt + 1, s_remote_cnt = s_remote_cnt + $3
        WHERE s_i_id = $4 AND s_w_id = $5";
    add_line: "INSERT INTO order_line VALUES ($1, $2, $3, $4, $5, $6, NULL, $7, $7::int * $8::text::numeric, $9)";

    pay_warehouse: "UPDATE warehouse SET w_ytd = w_ytd + $1::int / 100.0 WHERE w_id = $2
        RETURNING w_name, w_street_1, w_street_2, w_city, w_state, w_zip";
    pay_district: "UPDATE district SET d_ytd = d_ytd + $1::int / 100.0 WHERE d_w_id = $2 AND d_id = $3
        RETURNING d_name, d_street_1, d_street_2, d_city, d_state, d_zip";
    namesakes: concat!("SELECT count(c_id) AS namesakes FROM customer WHERE c_w_id = $1 AND c_d_id = $2 AND c_last = ", name!());
    credit_by_name: by_name!("c_credit, (c_credit = 'BC')::int AS bad");
    credit_by_number: by_number!("c_credit, (c_credit = 'BC')::int AS bad");
    pay_bad: "UPDATE customer SET c_balance = c_balance - $1::int / 100.0, c_ytd_payment = c_ytd_payment + $1::int / 100.0, c_payment_cnt = c_payment_cnt + 1,
        c_data = left(concat_ws(' ', $4::int, $3::int, $2::int, $5::int, $6::int, $1::int, c_data), 500) WHERE c_w_id = $2 AND c_d_id = $3 AND c_id = $4";
    pay_good: "UPDATE customer SET c_balance = c_balance - $1::int / 100.0, c_ytd_payment = c_ytd_payment + $1::int / 100.0, c_payment_cnt = c_payment_cnt + 1
        WHERE c_w_id = $2 AND c_d_id = $3 AND c_id = $4";
    add_history: "INSERT INTO history VALUES ($1, $2, $3, $4, $5, now(), $6::int / 100.0, 'payment')";

    status_by_name: by_name!("c_balance, c_first, c_middle, c_last");
    status_by_number: by_number!("c_balance, c_first, c_middle, c_last");
    last_order: "SELECT o_id AS o, o_entry_d, o_carrier_id FROM orders WHERE o_w_id = $1 AND o_d_id = $2 AND o_c_id = $3 ORDER BY o_id DESC LIMIT 1";
    lines: "SELECT ol_i_id, ol_supply_w_id, ol_quantity, ol_amount, ol_delivery_d FROM order_line WHERE ol_w_id = $1 AND ol_d_id = $2 AND ol_o_id = $3";

    oldest: "SELECT no_o_id AS o FROM new_order WHERE no_w_id = $1 AND no_d_id = $2 ORDER BY no_o_id LIMIT 1";
    drop_new_order: "DELETE FROM new_order WHERE no_w_id = $1 AND no_d_id = $2 AND no_o_id = $3";
    carry: "UPDATE orders SET o_carrier_id = $1 WHERE o_w_id = $2 AND o_d_id = $3 AND o_id = $4 RETURNING o_c_id AS c";
    deliver: "UPDATE order_line SET ol_delivery_d = now() WHERE ol_w_id = $1 AND ol_d_id = $2 AND ol_o_id = $3";
    total: "SELECT sum(ol_amount) AS total FROM order_line WHERE ol_w_id = $1 AND ol_d_id = $2 AND ol_o_id = $3";
    charge: "UPDATE customer SET c_balance = c_balance + $1::text::numeric, c_delivery_cnt = c_delivery_cnt + 1 WHERE c_w_id = $2 AND c_d_id = $3 AND c_id = $4";

    next: "SELECT d_next_o_id AS next FROM district WHERE d_w_id = $1 AND d_id = $2";
    low_stock: "SELECT count(DISTINCT s_i_id) FROM order_line, stock WHERE ol_w_id = $1 AND ol_d_id = $2 AND ol_o_id >= $3 - 20 AND ol_o_id < $3
        AND s_w_id = $1 AND s_i_id = ol_i_id AND s_quantity < $4";
}
