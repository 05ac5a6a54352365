//! Lines of Schedules A and B, and of a notice: who gave, and what moved.

use super::finding::{Finding, Findings, Weight};
use super::history::{Item, Turn};
use super::record::{self, NoSuchField, Record};
use super::{Detail, Lines, Moved, period, text};
use crate::domain::committee::filer::{Conduit, Filer, Payee};
use crate::domain::donor::is_answer;

use crate::projections::ledger::Kind;
use chrono::NaiveDate;
use hardmoney::parser::tables::Table;

/// The family name on lines of a donor who was erased: the law wants a name, and there is none any more.
pub const ERASED: &str = "Erased at request";
/// The family name on lines of a donor whose name has nothing in it that the format can write.
const ILLEGIBLE: &str = "Not legible";

/// What stands for an employer or occupation that a donor was asked for and never told (11 CFR 104.7(b)).
pub const BEST_EFFORTS: &str = "INFORMATION REQUESTED PER BEST EFFORTS";

/// The format's lengths.
const LAST_MAX: usize = 30;
const FIRST_MAX: usize = 20;
const STREET_MAX: usize = 34;
const CITY_MAX: usize = 30;
const ZIP_MAX: usize = 9;
const WORK_MAX: usize = 38;
const PURPOSE_MAX: usize = 100;
const ORGANISATION_MAX: usize = 200;

/// Donors who live abroad (format 8.5, "Edit: ST").
const ABROAD: &str = "ZZ";

/// Who gave, as the format takes it.
pub(super) struct Party {
    pub last: String,
    pub first: String,
    pub street: [String; 2],
    pub city: String,
    pub state: String,
    pub zip: String,
    pub employer: String,
    pub occupation: String,
}

impl Party {
    /// A donor; what their name lacks is found.
    pub(super) fn of(detail: &Detail, transaction: &str, findings: &mut Findings) -> Self {
        let mut find = |who: &str, what: &str, todo| {
            let transaction = Some(transaction.to_owned());
            findings.add(Finding { weight: Weight::Mend, transaction, who: who.into(), what: what.into(), todo });
        };
        let Some(contact) = &detail.contact else {
            find(
                ERASED,
                "The donor was erased at their own request: name and address are not known any more.",
                "Write both from your paper records, where the law has you keep them, in the filing program.",
            );
            return Self::nameless(ERASED);
        };
        let (mut last, mut first) =
            (text::fit(&contact.last_name, LAST_MAX), text::fit(&contact.first_name, FIRST_MAX));
        if last.is_empty() || first.is_empty() {
            let typed = format!("{} {}", contact.first_name, contact.last_name);
            find(
                typed.trim(),
                "Nothing of a part of this name can be written in the format’s letters.",
                "Ask the donor how their name is written in Latin letters, and write it in the filing program.",
            );
            let named = |name: String| if name.is_empty() { ILLEGIBLE.into() } else { name };
            (last, first) = (named(last), named(first));
        }
        let lacks = contact.lacks();
        let is_here = contact.country == "US";
        let region = text::fit(&contact.region, usize::MAX).to_ascii_uppercase();
        let mut zip = text::fit(&contact.postal, usize::MAX);
        zip.retain(|c| if is_here { c.is_ascii_digit() } else { c.is_ascii_alphanumeric() });
        zip.truncate(ZIP_MAX);
        Self {
            last,
            first,
            street: text::two_lines(&contact.line, STREET_MAX),
            city: text::fit(&contact.city, CITY_MAX),
            // What is no state is left empty, and found by the check.
            state: if !is_here {
                ABROAD.into()
            } else if region.len() == ABROAD.len() {
                region
            } else {
                String::new()
            },
            zip,
            employer: work(&contact.employer, lacks.employer && detail.was_asked),
            occupation: work(&contact.occupation, lacks.occupation && detail.was_asked),
        }
    }

    fn nameless(name: &str) -> Self {
        let none = String::new;
        let street = [none(), none()];
        let first = name.split_whitespace().next().unwrap_or(name).into();
        Self {
            last: name.into(),
            first,
            street,
            city: none(),
            state: none(),
            zip: none(),
            employer: none(),
            occupation: none(),
        }
    }
}

/// Employer or occupation; what is no answer is left out, and found as missing until the donor was asked.
fn work(typed: &str, was_asked: bool) -> String {
    if was_asked {
        return BEST_EFFORTS.into();
    }
    if !is_answer(typed) {
        return String::new();
    }
    let fitted = text::fit(typed, WORK_MAX);
    if fitted.contains(|c: char| c.is_ascii_alphanumeric()) { fitted } else { String::new() }
}

/// The lines of one report.
pub(super) struct Schedules<'a> {
    filer: &'a Filer,
    lines: Lines,
    a: Record,
    b: Record,
    conduit: Record,
}

const A: [&str; 21] = [
    "form_type",
    "filer_committee_id_number",
    "transaction_id",
    "back_reference_tran_id",
    "back_reference_sched_name",
    "entity_type",
    "contributor_last_name",
    "contributor_first_name",
    "contributor_street_1",
    "contributor_street_2",
    "contributor_city",
    "contributor_state",
    "contributor_zip_code",
    "election_code",
    "contribution_date",
    "contribution_amount",
    "contribution_aggregate",
    "contributor_employer",
    "contributor_occupation",
    "memo_code",
    "memo_text",
];

const CONDUIT: [&str; 19] = [
    "form_type",
    "filer_committee_id_number",
    "transaction_id",
    "back_reference_tran_id",
    "back_reference_sched_name",
    "entity_type",
    "contributor_organization_name",
    "contributor_street_1",
    "contributor_street_2",
    "contributor_city",
    "contributor_state",
    "contributor_zip_code",
    "contribution_date",
    "contribution_amount",
    "contribution_aggregate",
    "donor_committee_fec_id",
    "donor_committee_name",
    "memo_code",
    "memo_text",
];

const B: [&str; 16] = [
    "form_type",
    "filer_committee_id_number",
    "transaction_id",
    "entity_type",
    "payee_organization_name",
    "payee_last_name",
    "payee_first_name",
    "payee_street_1",
    "payee_street_2",
    "payee_city",
    "payee_state",
    "payee_zip_code",
    "election_code",
    "expenditure_date",
    "expenditure_amount",
    "expenditure_purpose_descrip",
];

impl<'a> Schedules<'a> {
    pub(super) fn new(filer: &'a Filer) -> Result<Self, NoSuchField> {
        let (a, b) = (Record::new(Table::SchA, &A)?, Record::new(Table::SchB, &B)?);
        let conduit = Record::new(Table::SchA, &CONDUIT)?;
        Ok(Self { filer, lines: Lines::of(filer.form), a, b, conduit })
    }

    /// The election that a gift of a day counts for, on candidates' forms.
    fn election(&self, day: NaiveDate) -> &str {
        let next = if self.filer.form.is_candidates() { period::next_election(self.filer, day) } else { None };
        next.map_or("", |election| &election.code)
    }

    /// One line that names a donor, of whichever schedule.
    pub(super) fn item(&self, out: &mut Vec<u8>, item: &Item, detail: &Detail, findings: &mut Findings) {
        if item.turn != Turn::Money {
            self.moved(out, item, detail, findings);
        } else if item.is_refund() && !item.is_joint {
            self.refund(out, item, detail, findings);
        } else {
            self.receipt(out, item, detail, findings);
        }
    }

    fn receipt(&self, out: &mut Vec<u8>, item: &Item, detail: &Detail, findings: &mut Findings) {
        let (letter, token, memo) =
            if item.is_joint { ('J', self.lines.joint, "X") } else { ('A', self.lines.receipt, "") };
        let id = format!("{letter}{}", detail.seq);
        let receipt = format!("{letter}{} of {}", detail.receipt_seq, detail.given.format("%m/%d/%Y"));
        let party = Party::of(detail, &id, findings);
        let moved = match item.kind {
            Kind::Donation if item.is_joint => String::new(),
            Kind::Donation => match &self.filer.conduit {
                Some(conduit) => format!("Earmarked through {}", conduit.name),
                None => String::new(),
            },
            Kind::Dispute => format!("Chargeback: disputed contribution {receipt}"),
            Kind::DisputeReversed => format!("Chargeback reversed: disputed contribution {receipt} returned"),
            Kind::Return => format!("Debit returned by the bank: contribution {receipt}"),
            Kind::Refund => format!("Refund of contribution {receipt}"),
            Kind::RefundReversed => format!("Refund reversed, it failed: contribution {receipt}"),
        };
        let words = match detail.joint.as_deref() {
            None => moved,
            Some(joint) if moved.is_empty() => format!("Joint fundraising: share of a gift to {joint}"),
            Some(joint) => format!("Joint fundraising: {joint}. {moved}"),
        };
        let election = self.election(detail.counts_on);
        if election.is_empty() && self.filer.form.is_candidates() && item.kind == Kind::Donation {
            findings.add(Finding {
                weight: Weight::Mend,
                transaction: Some(id.clone()),
                who: format!("{}, {}", party.last, party.first),
                what: format!("No election of the filer’s is on {} or later.", detail.given),
                todo: "Write the election that this gift is for on the page of who files, and make the file again.",
            });
        }
        self.line(out, item, [token, &id, "", election, &record::day(item.day), memo, &words], &party);
    }

    /// The memo of whom a gift came through, beside it; with what came that way since the year or cycle began (11 CFR 110.6(c)(2)).
    pub(super) fn conduit(
        &self,
        out: &mut Vec<u8>,
        conduit: &Conduit,
        item: &Item,
        detail: &Detail,
        aggregate_minor: i64,
    ) {
        let Conduit { id, name, address } = conduit;
        let name = text::fit(name, ORGANISATION_MAX);
        self.conduit.write(
            out,
            &[
                self.lines.receipt,
                &self.filer.id,
                &format!("C{}", detail.seq),
                &format!("A{}", detail.seq),
                self.lines.receipt,
                "PAC",
                &name,
                &text::fit(&address.street, STREET_MAX),
                &text::fit(&address.street_2, STREET_MAX),
                &text::fit(&address.city, CITY_MAX),
                &address.state,
                &address.zip,
                &record::day(item.day),
                &record::amount(item.minor),
                &record::amount(aggregate_minor),
                id,
                &name,
                "X",
                "Conduit: total earmarked through it is in aggregate",
            ],
        );
    }

    /// One of the three memos of a part that was moved: the receipt as it was told of, the part taken from it, and the part
    /// where it belongs, each naming the other (11 CFR 104.8(d)). The first has none of the words by which readers add the
    /// other two to an election's sum.
    fn moved(&self, out: &mut Vec<u8>, item: &Item, detail: &Detail, findings: &mut Findings) {
        let token = if item.is_joint { self.lines.joint } else { self.lines.receipt };
        let letter = if item.is_joint { 'J' } else { 'A' };
        let of = format!("{letter}{} of {}", detail.receipt_seq, detail.given.format("%m/%d/%Y"));
        let original = format!("R{}O", detail.seq);
        let election = self.election(detail.counts_on);
        let what = match detail.moved {
            Some(Moved::Reattributed) => "Reattribution",
            Some(Moved::Presumed) => "Presumptive redesignation",
            Some(Moved::Redesignated) | None => "Redesignation",
        };
        let (id, back, day, words) = match item.turn {
            Turn::Original | Turn::Money => {
                (original, String::new(), detail.given, format!("Contribution {of} as originally disclosed"))
            }
            Turn::From => (format!("R{}F", detail.seq), original, item.day, format!("{what} from: contribution {of}")),
            Turn::To => (format!("R{}T", detail.seq), original, item.day, format!("{what} to: contribution {of}")),
        };
        let words = match detail.joint.as_deref() {
            None => words,
            Some(joint) => format!("Joint fundraising: {joint}. {words}"),
        };
        let party = Party::of(detail, &id, findings);
        self.line(out, item, [token, &id, &back, election, &record::day(day), "X", &words], &party);
    }

    /// A line of Schedule A: what it is called, its id, the id that it refers to, election, day, memo code and words.
    fn line(&self, out: &mut Vec<u8>, item: &Item, cells: [&str; 7], party: &Party) {
        let [token, id, back, election, day, memo, words] = cells;
        self.a.write(
            out,
            &[
                token,
                &self.filer.id,
                id,
                back,
                if back.is_empty() { "" } else { token },
                "IND",
                &party.last,
                &party.first,
                &party.street[0],
                &party.street[1],
                &party.city,
                &party.state,
                &party.zip,
                election,
                day,
                &record::amount(item.minor),
                &record::amount(item.aggregate_minor),
                &party.employer,
                &party.occupation,
                memo,
                &text::fit(words, PURPOSE_MAX),
            ],
        );
    }

    fn refund(&self, out: &mut Vec<u8>, item: &Item, detail: &Detail, findings: &mut Findings) {
        let id = format!("B{}", detail.seq);
        let party = Party::of(detail, &id, findings);
        let receipt = format!("A{} of {}", detail.receipt_seq, detail.given.format("%m/%d/%Y"));
        let words = match item.kind {
            Kind::RefundReversed => format!("Refund reversed, it failed: contribution {receipt}"),
            Kind::Refund | Kind::Donation | Kind::Dispute | Kind::DisputeReversed | Kind::Return => {
                format!("Refund of contribution {receipt}")
            }
        };
        self.b.write(
            out,
            &[
                self.lines.refund,
                &self.filer.id,
                &id,
                "IND",
                "",
                &party.last,
                &party.first,
                &party.street[0],
                &party.street[1],
                &party.city,
                &party.state,
                &party.zip,
                self.election(detail.given),
                &record::day(item.day),
                &record::amount(item.minor.saturating_neg()),
                &words,
            ],
        );
    }

    /// What the processor kept in a month, as one payment to it.
    pub(super) fn fees(&self, out: &mut Vec<u8>, payee: &Payee, day: NaiveDate, minor: i64) {
        let id = format!("F{}", day.format("%Y%m"));
        let words = if minor < 0 { "Credit card processing fees returned" } else { "Credit card processing fees" };
        let Payee { name, address } = payee;
        self.b.write(
            out,
            &[
                self.lines.fee,
                &self.filer.id,
                &id,
                "ORG",
                &text::fit(name, ORGANISATION_MAX),
                "",
                "",
                &text::fit(&address.street, STREET_MAX),
                &text::fit(&address.street_2, STREET_MAX),
                &text::fit(&address.city, CITY_MAX),
                &address.state,
                &address.zip,
                "",
                &record::day(day),
                &record::amount(minor),
                words,
            ],
        );
    }
}
