//! What the emulator lets whom do, against the rights recorded from a real server, cell by cell.
//!
//! A cell that is answered must agree, unless `tests/data/rights-unequal.tsv` lists it with the
//! reason; a listed cell that agrees is wrong too. What the emulator does not have it answers with
//! 501: the number of these cells may only fall.

mod scene;
mod table;

use std::collections::BTreeMap;

use scene::Unable;
use table::{Asker, Case, Cell, Mode, Seen, Table, shown};

use crate::clusters::Cluster;
use crate::line::Line;
use crate::support::{Client, Place, Server, basic, superuser_token};

const UNEQUAL: &str = include_str!("../../data/rights-unequal.tsv");

/// What the emulator itself says when it has not got something.
const MISSING: Seen = (501, 501);

/// A deviation as the list has it: the mode, the section, the request, who asks, what was recorded,
/// and what is answered.
type Deviation = (String, String, String, String, String, String);

fn listed(mode: Mode) -> Vec<Deviation> {
    let lines = UNEQUAL.lines().filter(|line| !line.starts_with('#'));
    let rows = lines.map(|line| {
        let fields: Vec<&str> = line.split('\t').collect();
        let [mode, section, request, who, recorded, answered, reason] = fields[..] else {
            panic!("seven columns expected: {line}");
        };
        assert!(!reason.is_empty(), "no reason: {line}");
        let text = String::from;
        (
            text(mode),
            text(section),
            text(request),
            text(who),
            text(recorded),
            text(answered),
        )
    });
    rows.filter(|row| row.0 == mode.name()).collect()
}

/// The figures of a run.
#[derive(Debug, Default)]
struct Figures {
    cells: usize,
    equal: usize,
    missing: usize,
    skipped: usize,
    /// The missing cells by request.
    requests: BTreeMap<String, usize>,
    unequal: Vec<Deviation>,
}

struct Run<'a> {
    table: &'a Table,
    mode: Mode,
    superuser: Client,
    line: Line,
    figures: Figures,
}

/// The header with which somebody asks.
fn credentials(asker: &Asker) -> String {
    match asker {
        Asker::User(name) => format!("authorization: {}\r\n", basic(name, name)),
        Asker::Superuser => format!("authorization: bearer {}\r\n", superuser_token()),
        Asker::Nobody => String::new(),
    }
}

impl Run<'_> {
    fn case(&mut self, section: char, case: &Case) {
        let cells = self.table.cells(case, section, self.mode);
        // What is there stays until a request was let through.
        let mut there: Option<Result<Option<String>, Unable>> = None;
        for cell in cells {
            let made = there.take().unwrap_or_else(|| self.make(case));
            let (id, able) = match &made {
                Ok(id) => (id.as_deref(), true),
                Err(Unable) => (None, false),
            };
            let mut seen = self.ask(case, &cell, id);
            // What is not there cannot be asked for; who may not ask is refused all the same.
            if !able && Some(seen) != cell.recorded {
                seen = MISSING;
            }
            self.count(section, case, &cell, seen);
            if seen != MISSING && ![401, 403].contains(&seen.0) {
                self.clear(case);
            } else {
                there = Some(made);
            }
        }
        self.clear(case);
    }

    fn make(&self, case: &Case) -> Result<Option<String>, Unable> {
        let mut id = None;
        for thing in &case.needs {
            id = scene::make(&self.superuser, thing)?.or(id);
        }
        Ok(id)
    }

    fn clear(&self, case: &Case) {
        let cleared = [
            "testdoc",
            "c_apitest",
            "d2",
            "testuser",
            "transaction",
            "index",
        ];
        for thing in case.needs.iter().chain(&case.leaves) {
            if cleared.contains(thing) {
                scene::clear(&self.superuser, thing);
            }
        }
    }

    fn ask(&mut self, case: &Case, cell: &Cell, id: Option<&str>) -> Seen {
        let id_or_none = id.unwrap_or("0");
        let path = case.path.replace("{id}", id_or_none);
        let path = path.replace("{jobId}", id_or_none);
        let credentials = match (case.needs.contains(&"login"), id) {
            (true, Some(token)) => format!("authorization: bearer {token}\r\n"),
            _ => credentials(&cell.asker),
        };
        let asked = self.line.ask(case.method, &path, &credentials, case.body);
        let (status, body) = asked.unwrap();
        (status, body["errorNum"].as_u64().unwrap_or(0))
    }

    fn count(&mut self, section: char, case: &Case, cell: &Cell, seen: Seen) {
        let figures = &mut self.figures;
        figures.cells += 1;
        let Some(recorded) = cell.recorded else {
            figures.skipped += 1;
            return;
        };
        if seen == recorded {
            figures.equal += 1;
        } else if seen == MISSING {
            figures.missing += 1;
            let request = format!("{section} {} {}", case.method, case.path);
            *figures.requests.entry(request).or_default() += 1;
        } else {
            let mut who = String::from(cell.asker.name());
            if cell.asker == Asker::Nobody && section == 'C' {
                who.push_str(&format!(" ({})", cell.row));
            }
            figures.unequal.push((
                String::from(self.mode.name()),
                String::from(section),
                format!("{} {}", case.method, case.path),
                who,
                shown(recorded),
                shown(seen),
            ));
        }
    }
}

/// Plays all cases against a server and compares; at most so many cells may be missing.
fn play(mode: Mode, server: &Server, most_missing: usize) {
    let table = Table::read();
    let superuser = server.client();
    scene::set(&superuser);
    if mode == Mode::ReadOnly {
        let body = serde_json::json!({ "mode": "readonly" });
        assert_eq!(superuser.put("/_admin/server/mode", &body).status, 200);
    }
    let mut run = Run {
        table: &table,
        mode,
        superuser,
        line: Line::open(server.address),
        figures: Figures::default(),
    };
    for section in ['C', 'D', 'A'] {
        for case in &table.cases {
            run.case(section, case);
        }
    }
    let figures = run.figures;
    println!(
        "{}: {} cells, {} equal, {} missing, {} not recorded, {} unequal",
        mode.name(),
        figures.cells,
        figures.equal,
        figures.missing,
        figures.skipped,
        figures.unequal.len()
    );
    // As often as a deviation is found, so often it must be listed.
    let mut difference: BTreeMap<Deviation, i32> = BTreeMap::new();
    for found in figures.unequal {
        *difference.entry(found).or_default() += 1;
    }
    for known in listed(mode) {
        *difference.entry(known).or_default() -= 1;
    }
    difference.retain(|_, count| *count != 0);
    let lines: Vec<String> = difference
        .iter()
        .map(
            |((mode, section, request, who, recorded, answered), count)| {
                let what = match count {
                    1.. => "deviates, and is not listed",
                    _ => "is listed, and agrees",
                };
                format!("{mode}\t{section}\t{request}\t{who}\t{recorded}\t{answered}\t{what}")
            },
        )
        .collect();
    assert!(lines.is_empty(), "\n{}", lines.join("\n"));
    assert_eq!(figures.cells, 9007);
    let missing = &figures.requests;
    assert!(
        figures.missing <= most_missing,
        "{} cells are answered with 501: {missing:#?}",
        figures.missing
    );
}

/// The rights were recorded from this edition, and have those of failure points.
const FULL: [&str; 2] = ["--edition=enterprise", "--failure-tests"];

#[test]
fn a_single_server_grants_what_was_recorded() {
    let place = Place::new();
    let server = place.start(&FULL);
    play(Mode::Single, &server, 1662);
}

#[test]
fn a_coordinator_grants_what_was_recorded() {
    let cluster = Cluster::start_with(&[], &FULL, 2, 1);
    let coordinator = cluster.coordinators[0].1.as_ref().unwrap();
    play(Mode::Coordinator, coordinator, 1701);
}

#[test]
fn read_only_mode_takes_what_was_recorded() {
    let place = Place::new();
    let server = place.start(&FULL);
    play(Mode::ReadOnly, &server, 1621);
}
