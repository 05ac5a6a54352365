//! What was written, read again by `hardmoney`: what the FEC would not take (`validate`), whether the cover is what the lines
//! come to (`reconcile`), and what an analyst would ask (`review`).
//!
//! It reads bytes as they are written and holds so many lines at a time, so a file of any length needs the memory of some:
//! within them a donor's lines are seen together, beyond them each line is seen by what it says itself.

use super::finding::{Finding, Findings, Weight};
use super::lines::ERASED;
use super::record::{SEPARATOR, VERSION, amount};
use hardmoney::parser::review::Concern;
use hardmoney::parser::stream::Preamble;
use hardmoney::parser::tables::Table;
use hardmoney::parser::validate::Severity;
use hardmoney::parser::{ParsedLine, form};

/// Lines looked at together: some 30 MB, and more than most reports have.
const LINES_MAX: usize = 20_000;
/// Bytes of one record: all fields of the longest at their full length.
const RECORD_BYTES_MAX: usize = 20_000;

/// Schedules whose lines the cover adds up, and the field with their sum.
const SUMMED: [(Table, &str); 2] = [(Table::SchA, "contribution_amount"), (Table::SchB, "expenditure_amount")];

/// What to do about a field that is empty or not what it should be.
const ABOUT_FIELDS: &[(&str, &str)] = &[
    ("street", "Ask the donor for their street, and write it in the filing program."),
    ("city", "Ask the donor for their city, and write it in the filing program."),
    ("state", "Ask the donor for their state, and write its two letters in the filing program."),
    ("zip", "Ask the donor for their ZIP code, and write it in the filing program."),
    ("election", "Name the election on the page of this report, or on that of who files."),
];

/// What to do about what an analyst would ask.
const ABOUT_CONCERNS: &[(Concern, Weight, &str)] = &[
    (
        Concern::EmployerOccupationMissing,
        Weight::Mend,
        "Ask the donor once more for employer and occupation (11 CFR 104.7), on the page of missing employers: what they answer stands in the next file.",
    ),
    (
        Concern::BestEffortsClaimed,
        Weight::Look,
        "The donor was asked and has not answered: when and by whom stands on the page of missing employers.",
    ),
    (
        Concern::OverLimitAggregate,
        Weight::Mend,
        "Refund what is over the limit, or have it redesignated or reattributed, within 60 days (11 CFR 103.3).",
    ),
    (Concern::DateOutsideCoverage, Weight::Mend, "Make the report of the days that its lines are of."),
    (Concern::TreasurerSignatureMissing, Weight::Stops, "Write the treasurer’s name on the page of who files."),
    (
        Concern::UnitemizedInconsistent,
        Weight::Look,
        "Look at the small gifts of the period: more was taken back than given, or much came without a name.",
    ),
    (Concern::DuplicateTransaction, Weight::Look, "Two gifts of one sum on one day may be two gifts: ask the donor."),
];

/// Reads a file as it is written.
#[derive(Default)]
pub struct Checker {
    rest: Vec<u8>,
    line_no: u64,
    header: Vec<u8>,
    preamble: Option<Preamble>,
    is_first: bool,
    lines: Vec<ParsedLine>,
    sums: Vec<Sum>,
    findings: Findings,
}

/// What the lines of one kind come to.
struct Sum {
    table: Table,
    token: String,
    field: &'static str,
    minor: i64,
}

impl Checker {
    /// Begins before the first byte.
    pub fn new() -> Self {
        Self { is_first: true, ..Self::default() }
    }

    /// Reads the next bytes.
    pub fn read(&mut self, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.rest.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                let mut line = std::mem::take(&mut self.rest);
                line.truncate(line.trim_ascii_end().len());
                self.record(line);
            } else if self.rest.len() > RECORD_BYTES_MAX {
                self.stop("A record is longer than the format allows.");
                self.rest.clear();
            }
        }
    }

    /// What was found, after the last byte.
    pub fn finish(mut self) -> Findings {
        self.look();
        let Some(preamble) = self.preamble.take() else {
            self.stop("The file ends before its cover.");
            return self.findings;
        };
        let summed = |(at, sum): (usize, &Sum)| {
            let line_no = u64::try_from(at).unwrap_or(u64::MAX).saturating_add(3);
            let minor = amount(sum.minor);
            let cells = [("form_type", sum.token.as_str()), ("entity_type", "IND"), (sum.field, &minor)];
            ParsedLine::from_pairs(sum.table, VERSION, line_no, cells)
        };
        // One line for all of a kind: reconciling adds them up in any case.
        let condensed: Result<Vec<ParsedLine>, _> = self.sums.iter().enumerate().map(summed).collect();
        let Ok(condensed) = condensed else {
            self.stop("A sum can’t be written in the format.");
            return self.findings;
        };
        let filing = preamble.into_filing(condensed);
        if let Ok(reconciliation) = filing.reconcile() {
            for check in reconciliation.mismatches() {
                let what = format!("The cover’s line {} is not what its lines come to: {check}", check.line);
                self.stop(&what);
            }
        }
        for observation in filing.review().observations {
            let is_covers = observation.line_no.is_none_or(|line_no| line_no < 3);
            if is_covers && observation.concern != Concern::CoverNotSupported {
                self.concern(observation.concern, None, String::new(), &observation.detail);
            }
        }
        self.findings
    }

    fn stop(&mut self, what: &str) {
        self.findings.add(Finding {
            weight: Weight::Stops,
            transaction: None,
            who: String::new(),
            what: what.into(),
            todo: "Nobody can mend this but the makers of this program: tell them.",
        });
    }

    fn record(&mut self, line: Vec<u8>) {
        self.line_no = self.line_no.saturating_add(1);
        if self.line_no == 1 {
            self.header = line;
            return;
        }
        let (Some(header), Some(cells)) = (split(&self.header), split(&line)) else {
            return self.stop("A record is not text.");
        };
        let Some(preamble) = &self.preamble else {
            match Preamble::from_fields(&header, &cells) {
                Ok(preamble) => self.preamble = Some(preamble),
                Err(fault) => self.stop(&format!("The cover can’t be read: {fault}.")),
            }
            return;
        };
        let token = cells.first().copied().unwrap_or_default();
        let table = form::table_for_form_type(token);
        let parsed = table.map(|table| ParsedLine::from_cells(table, preamble.version, self.line_no, &cells));
        let Some(Ok(parsed)) = parsed else {
            return self.stop(&format!("A line of the kind {token} can’t be read."));
        };
        self.sum(&parsed);
        self.lines.push(parsed);
        if self.lines.len() >= LINES_MAX {
            self.look();
        }
    }

    fn sum(&mut self, line: &ParsedLine) {
        let of = |(table, _): &&(Table, &str)| *table == line.table();
        let Some((_, field)) = SUMMED.iter().find(of).filter(|_| !line.is_memo()) else { return };
        let Some(minor) = line.get(field).and_then(cents) else {
            return self.stop("A line has no sum.");
        };
        let (table, token) = (line.table(), &line.raw_form_type);
        match self.sums.iter_mut().find(|sum| sum.table == table && *sum.token == **token) {
            Some(sum) => sum.minor = sum.minor.saturating_add(minor),
            None => self.sums.push(Sum { table, token: token.to_string(), field, minor }),
        }
    }

    /// Looks at the lines that are held, and lets go of them.
    fn look(&mut self) {
        let Some(preamble) = &self.preamble else { return };
        let filing = preamble.clone().into_filing(std::mem::take(&mut self.lines));
        let first_no = filing.lines.first().map_or(0, |line| line.line_no);
        let is_first = std::mem::take(&mut self.is_first);
        let line = |line_no: u64| {
            let at = line_no.checked_sub(first_no).and_then(|at| usize::try_from(at).ok());
            at.and_then(|at| filing.lines.get(at))
        };
        for finding in filing.validate() {
            let of = line(finding.line_no);
            // The header and the cover are there with each stretch of lines.
            let is_told_already = of.is_none() && !is_first;
            let stops = finding.severity == Severity::Error;
            if is_told_already || (!stops && of.is_some_and(is_erased)) {
                continue;
            }
            let about = |part: &&(&str, &'static str)| finding.field.is_some_and(|field| field.contains(part.0));
            let todo = ABOUT_FIELDS.iter().find(about).map_or("Mend it in the filing program.", |(_, todo)| *todo);
            self.findings.add(Finding {
                weight: if stops { Weight::Stops } else { Weight::Mend },
                transaction: of.and_then(id),
                who: of.map(who).unwrap_or_default(),
                what: match finding.field {
                    Some(field) => format!("{} ({field})", finding.message),
                    None => finding.message,
                },
                todo,
            });
        }
        for observation in filing.review().observations {
            let of = observation.line_no.and_then(line);
            if let Some(of) = of.filter(|of| !is_erased(of)) {
                self.concern(observation.concern, id(of), who(of), &observation.detail);
            }
        }
    }

    fn concern(&mut self, concern: Concern, transaction: Option<String>, who: String, what: &str) {
        let known = ABOUT_CONCERNS.iter().find(|(known, _, _)| *known == concern);
        let (weight, todo) =
            known.map_or((Weight::Mend, "Look at it in the filing program."), |(_, weight, todo)| (*weight, *todo));
        self.findings.add(Finding { weight, transaction, who, what: what.into(), todo });
    }
}

fn split(line: &[u8]) -> Option<Vec<&str>> {
    line.split(|byte| *byte == SEPARATOR).map(|cell| std::str::from_utf8(cell).ok()).collect()
}

/// Cents of `-12.34`, read by another way than they are written.
fn cents(text: &str) -> Option<i64> {
    let (whole, part) = text.split_once('.')?;
    let digits = format!("{whole}{part}");
    digits.parse().ok().filter(|_| part.len() == 2)
}

fn id(line: &ParsedLine) -> Option<String> {
    line.get_non_empty("transaction_id").map(str::to_owned)
}

fn named<'a>(line: &'a ParsedLine, fields: [&str; 2]) -> &'a str {
    fields.into_iter().find_map(|field| line.get_non_empty(field)).unwrap_or_default()
}

fn who(line: &ParsedLine) -> String {
    let last = named(line, ["contributor_last_name", "payee_last_name"]);
    let first = named(line, ["contributor_first_name", "payee_first_name"]);
    if last.is_empty() {
        named(line, ["payee_organization_name", "committee_name"]).into()
    } else {
        format!("{last}, {first}")
    }
}

fn is_erased(line: &ParsedLine) -> bool {
    named(line, ["contributor_last_name", "payee_last_name"]) == ERASED
}
