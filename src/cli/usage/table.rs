//! Sums as a table for a person: numbers to the right, bars, the total, no wider than the terminal.

use std::io::{self, Write};

use super::found::Usage;
use crate::account::store::{Part, Sum};
use crate::units::MicroUsd;

/// Between two columns.
const GAP: &str = "  ";

/// The widest and the narrowest bar; below that there is none.
const BAR: usize = 24;
const LEAST_BAR: usize = 6;

/// A name is not cut further than to this.
const LEAST_NAME: usize = 6;

/// Parts of a block, an eighth each.
const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

const MICROS: u64 = 1_000_000;

struct Column {
    head: String,
    cells: Vec<String>,
    side: Side,
    /// The first to go where the terminal is too narrow has the highest; 0 stays.
    spare: u8,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Left,
    Right,
}

impl Column {
    fn width(&self) -> usize {
        let cells = self.cells.iter().map(|cell| cell.chars().count());
        cells.max().unwrap_or(0).max(self.head.chars().count())
    }
}

/// Prints the table.
pub(super) fn print(usage: &Usage, width: usize, out: &mut impl Write) -> io::Result<()> {
    let names: Vec<&str> = usage.by.iter().map(|by| by.name()).collect();
    let words = &usage.asked.words;
    writeln!(out, "{words} (UTC), by {}\n", names.join(", "))?;
    let mut sums = usage.sums.clone();
    if sums.is_empty() {
        return writeln!(out, "nothing was used");
    }
    sums.push(usage.total());
    let mut columns = columns(&names, &sums);
    let room = fit(&mut columns, width);
    lines(&columns, &bars(&sums, room), out)?;
    notes(&usage.total(), out)
}

fn columns(names: &[&str], sums: &[Sum]) -> Vec<Column> {
    let last = sums.len().saturating_sub(1);
    let mut columns: Vec<Column> = Vec::new();
    for (at, name) in names.iter().enumerate() {
        let cell = |(row, sum): (usize, &Sum)| match sum.names.get(at).map(String::as_str) {
            None if row == last && at == 0 => "in all".to_owned(),
            None => String::new(),
            Some("") => "–".to_owned(),
            Some(name) => name.to_owned(),
        };
        columns.push(Column {
            head: (*name).to_owned(),
            cells: sums.iter().enumerate().map(cell).collect(),
            side: Side::Left,
            spare: 0,
        });
    }
    let number = |head: &str, spare: u8, cell: &dyn Fn(&Sum) -> String| Column {
        head: head.to_owned(),
        cells: sums.iter().map(cell).collect(),
        side: Side::Right,
        spare,
    };
    let (cost, waste) = (
        decimals(sums, |sum| &sum.delivered),
        decimals(sums, |sum| &sum.wasted),
    );
    let tokens = |part: &Part| part.usage.input.0.saturating_add(part.usage.output.0);
    columns.extend([
        number("exchanges", 0, &|sum| grouped(sum.exchanges)),
        number("fell back", 3, &|sum| grouped(sum.fell_back)),
        number("failed", 4, &|sum| grouped(sum.failed)),
        number("input", 1, &|sum| {
            counted(&sum.delivered, sum.delivered.usage.input.0)
        }),
        number("cached", 5, &|sum| {
            counted(&sum.delivered, sum.delivered.usage.cached.0)
        }),
        number("output", 1, &|sum| {
            counted(&sum.delivered, sum.delivered.usage.output.0)
        }),
        number("USD", 0, &|sum| usd(&sum.delivered, cost)),
        number("wasted", 2, &|sum| {
            counted(&sum.wasted, tokens(&sum.wasted))
        }),
        number("wasted USD", 0, &|sum| usd(&sum.wasted, waste)),
    ]);
    columns
}

/// Makes the columns fit; what is left for bars.
fn fit(columns: &mut Vec<Column>, width: usize) -> usize {
    let taken = |columns: &[Column]| -> usize {
        let widths: usize = columns.iter().map(Column::width).sum();
        widths + GAP.len() * columns.len().saturating_sub(1)
    };
    while taken(columns) > width {
        let spare = columns.iter().map(|column| column.spare).max().unwrap_or(0);
        if spare > 0 {
            columns.retain(|column| column.spare != spare);
            continue;
        }
        let names = columns
            .iter_mut()
            .filter(|column| column.side == Side::Left);
        let Some(widest) = names.max_by_key(|column| column.width()) else {
            break;
        };
        let to = widest.width() - 1;
        if to < LEAST_NAME {
            break;
        }
        for text in widest.cells.iter_mut().chain([&mut widest.head]) {
            cut(text, to);
        }
    }
    width.saturating_sub(taken(columns) + GAP.len()).min(BAR)
}

fn cut(text: &mut String, to: usize) {
    if text.chars().count() > to {
        *text = text
            .chars()
            .take(to.saturating_sub(1))
            .chain(['…'])
            .collect();
    }
}

/// A bar for each row but the last, which is the total: what it cost, or where nothing has a
/// price, its tokens.
fn bars(sums: &[Sum], room: usize) -> Vec<String> {
    let all = |sum: &Sum| {
        let (delivered, wasted) = (&sum.delivered, &sum.wasted);
        let usage = (delivered.usage, wasted.usage);
        let tokens = usage.0.input + usage.0.output + usage.1.input + usage.1.output;
        ((delivered.cost + wasted.cost).0, tokens.0)
    };
    let (_, rows) = sums
        .split_last()
        .map_or((None, sums), |(last, rows)| (Some(last), rows));
    let is_priced = rows.iter().any(|sum| all(sum).0 > 0);
    let weight = |sum: &Sum| if is_priced { all(sum).0 } else { all(sum).1 };
    let most = rows.iter().map(weight).max().unwrap_or(0);
    if room < LEAST_BAR || most == 0 || rows.len() < 2 {
        return Vec::new();
    }
    rows.iter()
        .map(|sum| bar(weight(sum), most, room))
        .collect()
}

fn bar(weight: u64, most: u64, room: usize) -> String {
    let room = u128::try_from(room).unwrap_or(0);
    let eighths = u128::from(weight) * room * 8 / u128::from(most.max(1));
    let (whole, part) = (eighths / 8, eighths % 8);
    let part = usize::try_from(part)
        .ok()
        .and_then(|part| EIGHTHS.get(part));
    "█".repeat(usize::try_from(whole).unwrap_or(0)) + part.unwrap_or(&"")
}

fn lines(columns: &[Column], bars: &[String], out: &mut impl Write) -> io::Result<()> {
    let rows = columns.first().map_or(0, |column| column.cells.len());
    let line = |cell: &dyn Fn(&Column) -> String, bar: &str| -> String {
        let cells: Vec<String> = columns
            .iter()
            .map(|column| match column.side {
                Side::Left => format!("{:<1$}", cell(column), column.width()),
                Side::Right => format!("{:>1$}", cell(column), column.width()),
            })
            .collect();
        let line = format!("{}{GAP}{bar}", cells.join(GAP));
        line.trim_end().to_owned()
    };
    writeln!(out, "{}", line(&|column| column.head.clone(), ""))?;
    for row in 0..rows {
        let bar = bars.get(row).map_or("", String::as_str);
        let cell = |column: &Column| column.cells.get(row).cloned().unwrap_or_default();
        writeln!(out, "{}", line(&cell, bar))?;
    }
    Ok(())
}

/// What the marks mean, if there are any.
fn notes(total: &Sum, out: &mut impl Write) -> io::Result<()> {
    let (delivered, wasted) = (&total.delivered, &total.wasted);
    let mut notes = Vec::new();
    let estimated = delivered.estimated + wasted.estimated;
    if estimated > 0 {
        let attempts = attempts(estimated);
        notes.push(format!(
            "~ estimated in part: providers told no usage of {attempts}"
        ));
    }
    let unpriced = delivered.unpriced + wasted.unpriced;
    if unpriced > 0 {
        let attempts = attempts(unpriced);
        notes.push(format!("≥ at least: there is no price for {attempts}"));
    }
    if !notes.is_empty() {
        writeln!(out, "\n{}", notes.join("\n"))?;
    }
    Ok(())
}

fn attempts(number: u64) -> String {
    match number {
        1 => "1 attempt".to_owned(),
        more => format!("{} attempts", grouped(more)),
    }
}

fn counted(part: &Part, tokens: u64) -> String {
    let mark = if part.estimated > 0 && tokens > 0 {
        "~"
    } else {
        ""
    };
    format!("{mark}{}", grouped(tokens))
}

/// An exact amount, with so many decimals.
fn usd(part: &Part, decimals: usize) -> String {
    let estimated = if part.estimated > 0 && part.cost.0 > 0 {
        "~"
    } else {
        ""
    };
    let least = if part.unpriced > 0 { "≥" } else { "" };
    let MicroUsd(cost) = part.cost;
    let fraction = format!("{:06}", cost % MICROS);
    let fraction = fraction.get(..decimals).unwrap_or(&fraction);
    format!("{estimated}{least}{}.{fraction}", grouped(cost / MICROS))
}

/// The decimals that keep every amount of a column exact: cents at least.
fn decimals(sums: &[Sum], part: impl Fn(&Sum) -> &Part) -> usize {
    let needed = |sum: &Sum| {
        let mut rest = part(sum).cost.0 % MICROS;
        let mut decimals = 6;
        while decimals > 2 && rest.is_multiple_of(10) {
            (rest, decimals) = (rest / 10, decimals - 1);
        }
        decimals
    };
    sums.iter().map(needed).max().unwrap_or(2)
}

/// With a comma at each thousand.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
