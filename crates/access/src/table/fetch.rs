//! Fetching many rows by their ids, column by column.
//!
//! # How it works
//! First every row is located: its block and its position there. A chunk's state is read once for all its rows, whatever their order
//! (a small table remembers the chunks met). Then each column is gathered from the blocks in one loop, so that the memory accesses of
//! different rows overlap. Rows that are no part of a block in memory (fresh rows in row format, blocks in the KV store) send the
//! whole batch the general way, row by row.

use std::sync::Arc;

use common::{PgResult, RowId};
use txn::Snapshot;
use types::Vector;

use crate::ahead::ends::Fate;
use crate::block::{CHUNK_ROWS, MainBlock};
use crate::chunk::ChunkState;
use crate::serial;
use crate::table::Table;
use crate::version::RowData;
use txn::versions::visible;

/// Fewer rows are not worth the preparations.
pub(super) const BATCH_MIN: usize = 4;

/// Chunks remembered, by their number's last bits.
const REMEMBERED: usize = 256;

/// A chunk met in this batch, with the numbers of its main block and of the block that its last fresh row was in.
struct Met {
    chunk: u64,
    state: Arc<ChunkState>,
    main: Option<u32>,
    /// The snapshot does not see what main has.
    hidden: bool,
    fresh: Option<u32>,
}

/// Blocks met, and where the rows found lie: number of the block, position in it.
#[derive(Default)]
struct Places {
    blocks: Vec<Arc<MainBlock>>,
    picks: Vec<(u32, u32)>,
}

impl Places {
    fn add(&mut self, block: &Arc<MainBlock>) -> u32 {
        self.blocks.push(Arc::clone(block));
        self.blocks.len() as u32 - 1
    }
}

/// [`Table::fetch_batch`] for rows that all lie in blocks in memory; false (and nothing done) when some do not.
pub(super) fn fetch_blocks(
    table: &Table,
    rows: &[RowId],
    snapshot: &Snapshot,
    columns: &[u16],
    out: &mut [Vector],
    found: &mut Vec<u32>,
) -> PgResult<bool> {
    if serial::is_watched(snapshot, table.def.oid, table.def.persistence) {
        return Ok(false);
    }
    let before = found.len();
    let Some(places) = locate(table, rows, snapshot, columns, found)? else {
        found.truncate(before);
        return Ok(false);
    };
    let column = |block: &Arc<MainBlock>, c: u16| block.columns.get(usize::from(c)).is_some();
    if !places
        .blocks
        .iter()
        .all(|b| columns.iter().all(|&c| column(b, c)) && !b.has_toasted(columns))
    {
        found.truncate(before);
        return Ok(false);
    }
    for (&c, out) in columns.iter().zip(out) {
        let sources: Vec<&Vector> = places
            .blocks
            .iter()
            .filter_map(|b| b.columns.get(usize::from(c)).map(|v| &**v))
            .collect();
        out.extend_picked(&sources, &places.picks);
    }
    Ok(true)
}

/// Where the rows lie that the snapshot sees; `None` when some lies in no block.
fn locate(
    table: &Table,
    rows: &[RowId],
    snapshot: &Snapshot,
    columns: &[u16],
    found: &mut Vec<u32>,
) -> PgResult<Option<Places>> {
    let wanted = Wanted {
        columns,
        rows: rows.len(),
    };
    let end = table.store.next_row();
    let mut places = Places::default();
    let mut met: Vec<Met> = Vec::new();
    // Number of the chunk among those met, plus 1.
    let mut remembered = [0_u32; REMEMBERED];
    for (index, row) in rows.iter().enumerate() {
        if row.0 >= end {
            continue;
        }
        let (number, position) = (row.0 / CHUNK_ROWS, (row.0 % CHUNK_ROWS) as usize);
        let slot = &mut remembered[number as usize % REMEMBERED];
        let known = slot.checked_sub(1).filter(|&k| met[k as usize].chunk == number);
        let at = match known {
            Some(k) => k as usize,
            None => {
                met.push(meet(table, number, snapshot, &wanted, &mut places)?);
                *slot = met.len() as u32;
                met.len() - 1
            }
        };
        let Met {
            state,
            main,
            fresh,
            hidden,
            ..
        } = &mut met[at];
        let head = state.delta.as_ref().and_then(|delta| delta.head(position));
        if let Some(head) = head {
            let Some(version) = visible(&head, snapshot, table.store.shared.table()) else {
                continue;
            };
            let RowData::Block(block, position) = &version.data else {
                return Ok(None);
            };
            let same = |&number: &u32| Arc::ptr_eq(&places.blocks[number as usize], block);
            let number = match fresh.filter(same) {
                Some(number) => number,
                None => *fresh.insert(places.add(block)),
            };
            places.picks.push((number, u32::from(*position)));
        } else {
            let Some(number) = *main else {
                return Ok(None);
            };
            let fate = state.fate(position, snapshot, table.store.shared.table());
            if fate == Fate::Replaced {
                return Ok(None);
            }
            if *hidden || fate == Fate::Gone || !places.blocks[number as usize].contains(position) {
                continue;
            }
            places.picks.push((number, position as u32));
        }
        found.push(index as u32);
    }
    Ok(Some(places))
}

/// What a batch wants: columns of so many rows.
struct Wanted<'a> {
    columns: &'a [u16],
    rows: usize,
}

/// Reads a chunk's state, and its block if that is worth while.
fn meet(
    table: &Table,
    number: u64,
    snapshot: &Snapshot,
    wanted: &Wanted<'_>,
    places: &mut Places,
) -> PgResult<Met> {
    let chunk = table.store.chunk(number)?;
    let mut state = chunk.state.load_full();
    let mut main = state.block(&table.def, wanted.columns).cloned();
    if main.is_some() {
        chunk.touch();
    } else if table.store.is_worth_loading(chunk, &state, wanted.rows) {
        let (loaded, block) = table.store.loaded_columns(number, &table.def, wanted.columns)?;
        (state, main) = (loaded, Some(block));
    }
    let main = main.map(|main| places.add(&main));
    Ok(Met {
        chunk: number,
        hidden: table.hides(RowId(number * CHUNK_ROWS), snapshot)?,
        main,
        fresh: None,
        state,
    })
}
