//! Result tables as psql prints them: aligned, expanded, unaligned and CSV.

use unicode_width::UnicodeWidthStr;

/// A result to print.
#[derive(Debug, Default, Clone)]
pub struct Table {
    /// Column names.
    pub headers: Vec<String>,
    /// Right-aligned columns (numbers).
    pub right: Vec<bool>,
    /// Rows of values; `None` is NULL.
    pub rows: Vec<Vec<Option<String>>>,
    /// Printed above.
    pub title: Option<String>,
}

/// Output formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Columns under each other.
    Aligned,
    /// Values with a separator.
    Unaligned,
    /// Comma-separated values.
    Csv,
}

/// What `\pset` sets.
#[derive(Debug, Clone)]
pub struct Options {
    /// Format.
    pub format: Format,
    /// One line per value.
    pub expanded: bool,
    /// What NULL looks like.
    pub null: String,
    /// Neither header nor footer.
    pub tuples_only: bool,
    /// `(n rows)`.
    pub footer: bool,
    /// Field separator of the unaligned format.
    pub field_sep: String,
    /// Field separator of CSV.
    pub csv_field_sep: String,
    /// Title of all tables.
    pub title: Option<String>,
    /// Border 0, 1 or 2.
    pub border: u8,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            format: Format::Aligned,
            expanded: false,
            null: String::new(),
            tuples_only: false,
            footer: true,
            field_sep: "|".into(),
            csv_field_sep: ",".into(),
            title: None,
            border: 1,
        }
    }
}

/// A cell as it shows on the screen: its lines and the width of each.
struct Cell {
    lines: Vec<(String, usize)>,
}

impl Cell {
    fn new(text: &str) -> Cell {
        let lines = text.split('\n').map(visible).collect();
        Cell { lines }
    }

    fn width(&self) -> usize {
        self.lines.iter().map(|l| l.1).max().unwrap_or(0)
    }
}

/// Tabs go to the next multiple of eight, control characters show as `\xNN`.
fn visible(line: &str) -> (String, usize) {
    let mut out = String::with_capacity(line.len());
    let mut width = 0;
    for c in line.chars() {
        match c {
            '\t' => loop {
                out.push(' ');
                width += 1;
                if width % 8 == 0 {
                    break;
                }
            },
            '\r' => {
                out.push_str("\\r");
                width += 2;
            }
            c if (c as u32) < 0x20 || c as u32 == 0x7f => {
                out.push_str(&format!("\\x{:02X}", c as u32));
                width += 4;
            }
            c if (0x80..0xa0).contains(&(c as u32)) => {
                out.push_str(&format!("\\u{:04X}", c as u32));
                width += 6;
            }
            c => {
                out.push(c);
                width += c.encode_utf8(&mut [0; 4]).width();
            }
        }
    }
    (out, width)
}

fn pad(out: &mut String, n: usize, c: char) {
    out.extend(std::iter::repeat_n(c, n));
}

fn footer(count: usize) -> String {
    format!("({count} row{})", if count == 1 { "" } else { "s" })
}

/// Prints a table.
pub fn table(t: &Table, o: &Options) -> String {
    let mut out = String::new();
    let title = t.title.as_ref().or(o.title.as_ref());
    if let (Some(title), false) = (title, o.tuples_only || o.format == Format::Csv) {
        if o.format == Format::Aligned && !o.expanded {
            let width = aligned_width(t, o);
            let own = title.width();
            pad(&mut out, width.saturating_sub(own) / 2, ' ');
        }
        out.push_str(title);
        out.push('\n');
    }
    match (o.format, o.expanded) {
        (Format::Aligned, false) => aligned(&mut out, t, o),
        (Format::Aligned, true) => expanded(&mut out, t, o),
        (Format::Unaligned, false) => unaligned(&mut out, t, o),
        (Format::Unaligned, true) => unaligned_expanded(&mut out, t, o),
        (Format::Csv, expanded) => csv(&mut out, t, o, expanded),
    }
    out
}

fn text<'a>(value: &'a Option<String>, o: &'a Options) -> &'a str {
    value.as_deref().unwrap_or(&o.null)
}

fn column_widths(t: &Table, o: &Options) -> Vec<usize> {
    let mut widths: Vec<usize> = t.headers.iter().map(|h| Cell::new(h).width()).collect();
    for row in &t.rows {
        for (w, v) in widths.iter_mut().zip(row) {
            *w = (*w).max(Cell::new(text(v, o)).width());
        }
    }
    widths
}

fn aligned_width(t: &Table, o: &Options) -> usize {
    let widths = column_widths(t, o);
    widths.iter().sum::<usize>() + 3 * widths.len() - usize::from(!widths.is_empty())
}

fn rule(out: &mut String, widths: &[usize], border: u8) {
    match border {
        2 => out.push_str("+-"),
        1 => out.push('-'),
        _ => {}
    }
    for (i, w) in widths.iter().enumerate() {
        if i > 0 {
            out.push_str(if border == 0 { " " } else { "-+-" });
        }
        pad(out, *w, '-');
    }
    match border {
        2 => out.push_str("-+"),
        1 => out.push('-'),
        _ => {}
    }
    out.push('\n');
}

fn aligned(out: &mut String, t: &Table, o: &Options) {
    let widths = column_widths(t, o);
    if !o.tuples_only {
        if o.border == 2 {
            rule(out, &widths, 2);
        }
        let cells: Vec<Cell> = t.headers.iter().map(|h| Cell::new(h)).collect();
        let height = cells.iter().map(|c| c.lines.len()).max().unwrap_or(0);
        for line in 0..height {
            aligned_header_line(out, &cells, &widths, line, o.border);
        }
        rule(out, &widths, o.border);
    }
    for row in &t.rows {
        let cells: Vec<Cell> = row.iter().map(|v| Cell::new(text(v, o))).collect();
        let height = cells.iter().map(|c| c.lines.len()).max().unwrap_or(0);
        for line in 0..height {
            aligned_row_line(out, &cells, &widths, &t.right, line, o.border);
        }
    }
    if o.border == 2 {
        rule(out, &widths, 2);
    }
    if o.footer && !o.tuples_only {
        out.push_str(&footer(t.rows.len()));
        out.push('\n');
    }
    out.push('\n');
}

fn aligned_header_line(out: &mut String, cells: &[Cell], widths: &[usize], line: usize, border: u8) {
    let last = cells.len() - 1;
    match border {
        2 => out.push_str("| "),
        1 => out.push(' '),
        _ => {}
    }
    for (i, cell) in cells.iter().enumerate() {
        match cell.lines.get(line) {
            Some((text, width)) => {
                let space = widths[i] - width;
                pad(out, space / 2, ' ');
                out.push_str(text);
                pad(out, space.div_ceil(2), ' ');
            }
            None => pad(out, widths[i], ' '),
        }
        let more = line + 1 < cell.lines.len();
        if border == 0 {
            if more || i < last {
                out.push(if more { '+' } else { ' ' });
            } else {
                out.push(' ');
            }
        } else {
            out.push(if more { '+' } else { ' ' });
            if i < last {
                out.push_str("| ");
            }
        }
    }
    if border == 2 {
        out.push('|');
    }
    out.push('\n');
}

fn aligned_row_line(
    out: &mut String,
    cells: &[Cell],
    widths: &[usize],
    right: &[bool],
    line: usize,
    border: u8,
) {
    let last = cells.len().saturating_sub(1);
    match border {
        2 => out.push_str("| "),
        1 => out.push(' '),
        _ => {}
    }
    for (i, cell) in cells.iter().enumerate() {
        let more = line + 1 < cell.lines.len();
        let pads = i < last || more || border == 2;
        match cell.lines.get(line) {
            Some((text, width)) => {
                let space = widths[i].saturating_sub(*width);
                if right[i] {
                    pad(out, space, ' ');
                    out.push_str(text);
                } else {
                    out.push_str(text);
                    pad(out, if pads { space } else { 0 }, ' ');
                }
            }
            None => pad(out, if pads { widths[i] } else { 0 }, ' '),
        }
        if more {
            out.push('+');
        } else if pads || border == 2 {
            out.push(' ');
        }
        if i < last && border != 0 {
            out.push_str("| ");
        }
    }
    if border == 2 {
        out.push('|');
    }
    out.push('\n');
}

fn expanded(out: &mut String, t: &Table, o: &Options) {
    if t.rows.is_empty() {
        if o.footer && !o.tuples_only {
            out.push_str("(0 rows)\n");
        }
        out.push('\n');
        return;
    }
    let names: Vec<Cell> = t.headers.iter().map(|h| Cell::new(h)).collect();
    let several = names.iter().any(|c| c.lines.len() > 1);
    let name_width = names.iter().map(Cell::width).max().unwrap_or(0) + usize::from(several && o.border == 0);
    let data = t.rows.iter().flatten().map(|v| Cell::new(text(v, o)).width());
    let data_width = data.max().unwrap_or(0);
    for (number, row) in t.rows.iter().enumerate() {
        if !o.tuples_only {
            record_line(out, number + 1, name_width, data_width, o.border);
        } else if number > 0 {
            out.push('\n');
        }
        for (name, value) in names.iter().zip(row) {
            expanded_field(
                out,
                name,
                &Cell::new(text(value, o)),
                name_width,
                data_width,
                o.border,
            );
        }
    }
    if o.border == 2 {
        rule(out, &[name_width, data_width], 2);
    }
    out.push('\n');
}

fn record_line(out: &mut String, number: usize, name_width: usize, data_width: usize, border: u8) {
    let label = match border {
        0 => format!("* Record {number}"),
        _ => format!("[ RECORD {number} ]"),
    };
    if border == 0 {
        out.push_str(&label);
        let all = name_width + 1 + data_width;
        pad(out, all.saturating_sub(label.len()), ' ');
        out.push('\n');
        return;
    }
    out.push_str(if border == 2 { "+-" } else { "-" });
    out.push_str(&label);
    // The label eats from the dashes of the name column, then from the crossing, then from the value column.
    let used = label.len() as isize + isize::from(border != 2);
    let names = name_width as isize;
    pad(out, (names - used).max(0) as usize, '-');
    let mut over = used - names;
    for c in ['-', '+', '-'] {
        if over <= 0 {
            out.push(c);
        }
        over -= 1;
    }
    pad(out, (data_width as isize - over.max(0)).max(0) as usize, '-');
    out.push_str(if border == 2 { "-+\n" } else { "\n" });
}

fn expanded_field(
    out: &mut String,
    name: &Cell,
    value: &Cell,
    name_width: usize,
    data_width: usize,
    border: u8,
) {
    let height = name.lines.len().max(value.lines.len());
    for line in 0..height {
        if border == 2 {
            out.push_str("| ");
        }
        match name.lines.get(line) {
            Some((text, width)) => {
                out.push_str(text);
                pad(out, name_width - width, ' ');
                out.push(if line + 1 < name.lines.len() { '+' } else { ' ' });
            }
            None => pad(out, name_width + 1, ' '),
        }
        out.push_str(if border == 0 { "" } else { "| " });
        if let Some((text, width)) = value.lines.get(line) {
            let more = line + 1 < value.lines.len();
            out.push_str(text);
            if more || border == 2 {
                pad(out, data_width - width, ' ');
                out.push(if more { '+' } else { ' ' });
            }
        } else if border == 2 {
            pad(out, data_width + 1, ' ');
        }
        out.push_str(if border == 2 { "|\n" } else { "\n" });
    }
}

fn unaligned(out: &mut String, t: &Table, o: &Options) {
    if !o.tuples_only {
        out.push_str(&t.headers.join(&o.field_sep));
        out.push('\n');
    }
    for row in &t.rows {
        let cells: Vec<&str> = row.iter().map(|v| text(v, o)).collect();
        out.push_str(&cells.join(&o.field_sep));
        out.push('\n');
    }
    if o.footer && !o.tuples_only {
        out.push_str(&footer(t.rows.len()));
        out.push('\n');
    }
}

fn unaligned_expanded(out: &mut String, t: &Table, o: &Options) {
    for (number, row) in t.rows.iter().enumerate() {
        if number > 0 {
            out.push('\n');
        }
        for (name, value) in t.headers.iter().zip(row) {
            out.push_str(&format!("{name}{}{}\n", o.field_sep, text(value, o)));
        }
    }
    if t.rows.is_empty() && !o.tuples_only {
        out.push_str("(0 rows)\n");
    }
}

fn csv(out: &mut String, t: &Table, o: &Options, expanded: bool) {
    let quote = |s: &str| {
        let special = s.contains(&o.csv_field_sep) || s.contains(['\n', '\r', '"']) || s == "\\.";
        if special {
            format!("\"{}\"", s.replace('"', "\"\""))
        } else {
            s.to_owned()
        }
    };
    let line = |values: &mut dyn Iterator<Item = &str>| {
        let values: Vec<String> = values.map(quote).collect();
        values.join(&o.csv_field_sep) + "\n"
    };
    if expanded {
        for row in &t.rows {
            for (name, value) in t.headers.iter().zip(row) {
                out.push_str(&line(&mut [name.as_str(), text(value, o)].into_iter()));
            }
        }
        return;
    }
    if !o.tuples_only {
        out.push_str(&line(&mut t.headers.iter().map(String::as_str)));
    }
    for row in &t.rows {
        out.push_str(&line(&mut row.iter().map(|v| text(v, o))));
    }
}
