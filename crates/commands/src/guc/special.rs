//! Settings with a grammar of their own: DateStyle, TimeZone, search_path, client_encoding.

use common::error::ErrorExt;
use common::{PgError, PgResult, pg_err};
use types::FormatSettings;
use types::datetime::zone;
use types::encoding::Encoding;
use types::settings::{ByteaOutput, DateOrder, DateStyle, IntervalStyle};
use types::xml::{XmlBinary, XmlOption};

use crate::guc::value::split_identifiers;

fn invalid(name: &str, text: &str) -> Box<PgError> {
    pg_err!(
        INVALID_PARAMETER_VALUE,
        "invalid value for parameter \"{name}\": \"{text}\""
    )
}

/// The canonical form of a special setting's new value; `current` is the value in force. `None`: not special.
pub fn canonical(name: &str, text: &str, current: &str) -> PgResult<Option<String>> {
    Ok(Some(match name {
        "datestyle" => date_style(text, current)?,
        "timezone" | "log_timezone" => {
            let shown = if name == "timezone" {
                "TimeZone"
            } else {
                "log_timezone"
            };
            time_zone(text).ok_or_else(|| invalid(shown, text))?.1
        }
        "search_path" => {
            split_identifiers(text)?
                .ok_or_else(|| invalid("search_path", text).detail("List syntax is invalid."))?;
            text.to_owned()
        }
        "client_encoding" => {
            let encoding = Encoding::by_name(text).ok_or_else(|| invalid("client_encoding", text))?;
            if !types::encoding::converts_to_utf8(encoding) {
                let name = encoding.name();
                return Err(invalid("client_encoding", text)
                    .detail(format!("Conversion between {name} and UTF8 is not supported.")));
            }
            encoding.name().to_owned()
        }
        _ => return Ok(None),
    }))
}

/// A zone and what SHOW prints for it.
pub fn time_zone(text: &str) -> Option<(jiff::tz::TimeZone, String)> {
    let t = text.trim();
    // A bare number is hours east.
    if let Ok(hours) = t.parse::<f64>() {
        if hours.abs() <= 168.0 {
            return Some(zone::fixed_zone((-hours * 3600.0) as i32));
        }
    }
    if t.eq_ignore_ascii_case("local") || t.eq_ignore_ascii_case("default") {
        return zone::find_named("Etc/UTC");
    }
    // What `fixed_zone` shows must be readable again.
    if let Some(west) = shown_offset(t) {
        return Some(zone::fixed_zone(west));
    }
    zone::find_named(t)
}

/// `<-07>+07` and the like: seconds west.
fn shown_offset(t: &str) -> Option<i32> {
    let rest = t.strip_prefix('<')?;
    let (_, offset) = rest.split_once('>')?;
    let (sign, digits) = match offset.strip_prefix('-') {
        Some(d) => (-1, d),
        None => (1, offset.strip_prefix('+').unwrap_or(offset)),
    };
    let mut parts = digits.split(':').map(|p| p.parse::<i32>().ok());
    let hours = parts.next()??;
    let minutes = parts.next().unwrap_or(Some(0))?;
    let seconds = parts.next().unwrap_or(Some(0))?;
    Some(sign * (hours * 3600 + minutes * 60 + seconds))
}

fn date_style(text: &str, current: &str) -> PgResult<String> {
    let words = split_identifiers(text)?
        .ok_or_else(|| invalid("DateStyle", text).detail("List syntax is invalid."))?;
    let (mut style, mut order) = parse_date_style(current);
    let mut have_order = false;
    for word in &words {
        match word.as_str() {
            "iso" => style = DateStyle::Iso,
            "sql" => style = DateStyle::Sql,
            w if w.starts_with("postgres") => style = DateStyle::Postgres,
            "german" => {
                style = DateStyle::German;
                // German implies day first unless an order is given.
                if !have_order {
                    order = DateOrder::Dmy;
                }
            }
            "ymd" => (order, have_order) = (DateOrder::Ymd, true),
            w if w == "dmy" || w.starts_with("euro") => (order, have_order) = (DateOrder::Dmy, true),
            w if w == "mdy" || w == "us" || w.starts_with("noneuro") => {
                (order, have_order) = (DateOrder::Mdy, true)
            }
            "default" => (style, order) = (DateStyle::Iso, DateOrder::Mdy),
            other => {
                return Err(invalid("DateStyle", text).detail(format!("Unrecognized key word: \"{other}\".")));
            }
        }
    }
    Ok(format!("{}, {}", style_word(style), order_word(order)))
}

fn style_word(style: DateStyle) -> &'static str {
    match style {
        DateStyle::Iso => "ISO",
        DateStyle::Sql => "SQL",
        DateStyle::Postgres => "Postgres",
        DateStyle::German => "German",
    }
}

fn order_word(order: DateOrder) -> &'static str {
    match order {
        DateOrder::Ymd => "YMD",
        DateOrder::Dmy => "DMY",
        DateOrder::Mdy => "MDY",
    }
}

/// The two words of a canonical DateStyle.
pub fn parse_date_style(canonical: &str) -> (DateStyle, DateOrder) {
    let (style, order) = canonical.split_once(", ").unwrap_or((canonical, "MDY"));
    let style = match style {
        "SQL" => DateStyle::Sql,
        "Postgres" => DateStyle::Postgres,
        "German" => DateStyle::German,
        _ => DateStyle::Iso,
    };
    let order = match order {
        "YMD" => DateOrder::Ymd,
        "DMY" => DateOrder::Dmy,
        _ => DateOrder::Mdy,
    };
    (style, order)
}

/// The settings that shape values, from the canonical values of `get`.
pub fn format_settings<'a>(get: impl Fn(&str) -> &'a str) -> FormatSettings {
    let (date_style, date_order) = parse_date_style(get("datestyle"));
    let zone_text = get("timezone");
    let (time_zone, name) = time_zone(zone_text).unwrap_or_else(|| (jiff::tz::TimeZone::UTC, "UTC".into()));
    FormatSettings {
        date_order,
        date_style,
        interval_style: match get("intervalstyle") {
            "postgres_verbose" => IntervalStyle::PostgresVerbose,
            "sql_standard" => IntervalStyle::SqlStandard,
            "iso_8601" => IntervalStyle::Iso8601,
            _ => IntervalStyle::Postgres,
        },
        bytea_output: if get("bytea_output") == "escape" {
            ByteaOutput::Escape
        } else {
            ByteaOutput::Hex
        },
        xml_option: if get("xmloption") == "document" {
            XmlOption::Document
        } else {
            XmlOption::Content
        },
        xml_binary: if get("xmlbinary") == "hex" {
            XmlBinary::Hex
        } else {
            XmlBinary::Base64
        },
        extra_float_digits: get("extra_float_digits").parse().unwrap_or(1),
        time_zone,
        time_zone_name: name.into(),
        transaction_timestamp: 0,
        client_encoding: Encoding::by_name(get("client_encoding")).unwrap_or(Encoding::UTF8),
    }
}
