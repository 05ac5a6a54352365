//! Donors whom a report names and who left out employer or occupation: they are asked, they answer, and what is made of the
//! ledger follows, but not what was made of it before.

use crate::filing::{filer, set};
use crate::mail_server::{MailServer, header, part};
use crate::sample::pledged;
use crate::server::{House, Staff, csv_rows, gift, give, pay, run, run_with_input, said, until};
use crate::work;
use chrono::Datelike;
use groundswell::domain::Command;
use groundswell::domain::donation::{self, Pledged};
use groundswell::domain::id::{DonationId, PaymentId};
use groundswell::domain::money::{Currency, Money};
use groundswell::domain::seals::{CONTACT, SHOWN};
use groundswell::engine::Engine;
use std::path::Path;
use std::time::Duration;
use uuid::Uuid;

const LIST: &str = "/finance/employers";

fn id(donation: &str) -> &str {
    donation.rsplit('/').next().unwrap()
}

async fn list(house: &House) -> String {
    let answer = house.server.get_as(&house.owner.cookie, LIST).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.text()
}

/// A gift of somebody who leaves out this much.
async fn give_without(house: &House, amount: &str, email: &str, employer: &str, occupation: &str) -> String {
    let mut form = gift(amount, email);
    form.retain(|(name, _)| !["employer", "occupation", "address", "not_employed"].contains(name));
    let street = format!("{email} Street");
    form.extend([("employer", employer), ("occupation", occupation), ("address", street.as_str())]);
    let answer = house.server.post("/r/call/donate", &form).await;
    assert_eq!(answer.status, 303, "{}", answer.text());
    let donation = answer.header("location");
    assert_eq!(pay(&house.server, &donation, "simulated_ok").await["state"], "settled");
    donation
}

fn report() -> String {
    let year = chrono::Utc::now().year();
    format!("/finance/filing/report.fec?code=YE&from={year}-01-01&to={year}-12-31&committee=0")
}

/// A gift of $500 whose sealed contact is none.
async fn give_unreadable(data: &Path) {
    let busy = |_: &u32| std::thread::sleep(Duration::from_millis(10));
    let (engine, mut writer) = (0..500_u32).inspect(busy).find_map(|_| Engine::open(data).ok()).unwrap();
    let donor = engine.vault().person_id("mute@example.org");
    let rally = engine.world().state.rallies.iter().map(|(rally, _)| rally).next().unwrap();
    let (donation, amount) = (DonationId(Uuid::now_v7()), Money::new(50_000, Currency::USD));
    let [contact, shown] = [CONTACT, SHOWN].map(|context| engine.vault().seal(donor, context, b"[]").unwrap());
    let given = donation::Command::Pledge(Pledged { contact, shown, ..pledged(donation, rally, donor, amount) });
    let asked = donation::Command::RequestPayment { donation, method: "card".into() };
    let payment = PaymentId("pi_mute".into());
    let paid = donation::Command::RecordSettled { donation, payment, amount, fee: None, card: None };
    for (at, command) in [given, asked, paid].into_iter().enumerate() {
        let command = Command::Donation(command);
        assert_eq!(engine.execute(command, format!("mute:{at}"), "test").await.unwrap().count, 1);
    }
    drop(engine);
    writer.ended().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contact_that_cant_be_read_is_said_and_everybody_else_is_asked() {
    let house = filing(&[]).await;
    give_without(&house, "250", "liat@example.org", "n/a", "Nurse").await;
    let data = house.data();
    let house = house.again(|server| {
        server.stop();
        tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(give_unreadable(&data)));
    });
    let listed = list(&house).await;
    for wanted in ["liat@example.org", "Who gave one of these gifts can’t be read"] {
        assert!(listed.contains(wanted), "{wanted}: {listed}");
    }
    assert!(work::page(&house, "kind=employer").await.contains("Missing employers (1)"));
    let made = house.server.get_as(&house.owner.cookie, &report()).await;
    assert_ne!(made.status, 200, "a report without a donor it has to name: {}", made.text());
}

/// Employer and occupation of the donors in a report, by its path.
async fn works(house: &House, path: &str) -> Vec<(String, String)> {
    let answer = house.server.get_as(&house.owner.cookie, path).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let text = answer.text();
    let lines = text.lines().filter(|line| line.starts_with("SA11AI"));
    let cells = lines.map(|line| line.split('\u{1c}').map(str::to_owned).collect::<Vec<_>>());
    cells.map(|cells| (cells[23].clone(), cells[24].clone())).collect()
}

async fn filing(env: &[(&str, &str)]) -> House {
    let house = House::with(env).await;
    assert_eq!(set(&house, &filer()).await.status, 303);
    house
}

#[tokio::test(flavor = "multi_thread")]
async fn a_donor_is_asked_by_letter_answers_by_its_link_and_every_file_follows() {
    let mail = MailServer::start();
    let house =
        filing(&[("GROUNDSWELL_MAIL_SMTP", &mail.smtp()), ("GROUNDSWELL_MAIL_FROM", "gifts@rivera.example")]).await;
    let (server, owner) = (&house.server, &house.owner);
    assert!(list(&house).await.contains("Nobody: every donor"), "nobody gave");
    give_without(&house, "150", "small@example.org", "n/a", "n/a").await;
    let donation = give_without(&house, "250", "ruth@example.org", "n/a", "Nurse").await;
    give(server, "300", "ada@example.org").await;
    mail.wait_for(3).await;
    let listed = list(&house).await;
    for wanted in
        ["Left out: employer.", "ruth@example.org", "$250.00 so far", "“n/a”, “Nurse”", "Ask by", "Send the letter"]
    {
        assert!(listed.contains(wanted), "{wanted}: {listed}");
    }
    assert!(!listed.contains("small@example.org") && !listed.contains("ada@example.org"), "{listed}");
    assert_eq!(works(&house, &report()).await.iter().filter(|(employer, _)| employer.is_empty()).count(), 1);
    let before_asking: u64 = newest(&house);

    // The list of all work has it too; who takes it there or here, has it in both.
    let open = work::page(&house, "").await;
    for wanted in
        ["1 open", "Ask this donor for the employer", "Joan Petrie", "Missing employers (1)", "Nobody has it."]
    {
        assert!(open.contains(wanted), "{wanted}: {open}");
    }
    let doors = server.get_as(&owner.cookie, "/finance").await.text();
    assert!(doors.contains("Work list <span class=\"pill warn\">1</span>"), "{doors}");
    let taken = work::send(&house, owner, &listed, "/finance/work/assign", &[]).await;
    let back = format!("{LIST}?committee=0&done=assigned#gift-{}", id(&donation));
    assert_eq!((taken.status, taken.header("location")), (303, back));
    assert!(list(&house).await.contains("You have it."));
    assert!(work::page(&house, "mine=yes&kind=employer").await.contains("Joan Petrie"));

    // The letter asks for this alone.
    let ask = format!("{LIST}/{}/letter", id(&donation));
    let asked = owner.post(server, &ask, &[("committee", "0")]).await;
    assert_eq!((asked.status, asked.header("location")), (303, format!("{LIST}?committee=0&done=work-letter")));
    let letters = mail.wait_for(4).await;
    let letter = letters.last().unwrap();
    assert!(header(letter, "Subject").contains("Your employer, for the record of your gift"), "{letter:#}");
    let text = part(letter, "text/plain");
    assert!(text.contains("best efforts to collect and report the name, mailing address, occupation"), "{text}");
    assert!(text.contains("$200 in a calendar year") && text.contains("Paid for by Rivera for Senate"), "{text}");
    assert!(
        !text.contains("Give again") && !text.to_lowercase().contains("donate"),
        "no word about more money: {text}"
    );
    let again = owner.post(server, &ask, &[("committee", "0")]).await;
    assert!(
        again.status == 422 && again.text().contains("A letter about this gift was sent already"),
        "{}",
        again.text()
    );
    until("the letter is not told of", || async { list(&house).await.contains("The mail server took it.") }).await;
    let listed = list(&house).await;
    assert!(listed.contains("A letter was asked for on") && listed.contains("by Ana Ruiz"), "{listed}");
    assert!(work::page(&house, "").await.contains("Nothing is open"), "she was asked");
    let done = work::page(&house, "show=done").await;
    assert!(done.contains("Asked by letter.") && done.contains("Ana Ruiz"), "{done}");
    let claimed = "INFORMATION REQUESTED PER BEST EFFORTS".to_owned();
    assert!(works(&house, &report()).await.contains(&(claimed.clone(), "Nurse".into())));

    // The link is a key: whoever has none, finds nothing.
    let link = text.split_whitespace().find(|word| word.contains("/answer/")).unwrap();
    let path = &link[link.find("/answer/").unwrap()..];
    let shown = server.get(path).await;
    assert!(shown.status == 200 && shown.text().contains("$250.00"), "{}", shown.text());
    assert!(
        !shown.text().contains("ruth@example.org") && !shown.text().contains("Nurse"),
        "it shows nothing of the donor"
    );
    for broken in [format!("/answer/{}", id(&donation)), path[..path.len() - 1].to_owned(), format!("{path}0")] {
        assert_eq!(server.get(&broken).await.status, 404, "{broken}");
    }
    let empty = server.post(path, &[("employer", "n/a"), ("occupation", "Nurse & <b>")]).await;
    assert!(empty.status == 422 && empty.text().contains("Write whom you work for"), "{}", empty.text());
    assert!(empty.text().contains("Nurse &#38; &#60;b&#62;"), "what was typed is kept: {}", empty.text());
    let card = server.post(path, &[("employer", "4242424242424242"), ("occupation", "Nurse")]).await;
    assert!(card.status == 422 && !card.text().contains("4242424242424242"), "{}", card.text());
    let answered = server.post(path, &[("employer", "St. Luke’s"), ("occupation", "Doctor")]).await;
    assert_eq!((answered.status, answered.header("location")), (303, format!("{path}?done=1")));
    assert!(server.get(&format!("{path}?done=1")).await.text().contains("its record is complete"));

    // What was typed stands; what was left out is filled in, everywhere.
    assert!(works(&house, &report()).await.contains(&("St. Luke's".into(), "Nurse".into())));
    let rows = csv_rows(&run(&["export", "csv"], &house.data()).stdout);
    let row = rows.iter().find(|row| row["donation"] == id(&donation)).unwrap();
    assert_eq!((row["employer"].as_str(), row["occupation"].as_str()), ("St. Luke’s", "Nurse"));
    let contributions = String::from_utf8(run(&["export", "actblue-csv"], &house.data()).stdout).unwrap();
    assert!(contributions.contains("St. Luke’s"), "{contributions}");
    let page = server.get_as(&owner.cookie, &format!("/finance/donations/{}", id(&donation))).await.text();
    assert!(page.contains("St. Luke’s") && !page.contains("n/a"), "{page}");
    // As of before, all is as it was.
    let then = works(&house, &format!("{}&as_of={before_asking}", report())).await;
    assert!(then.contains(&(String::new(), "Nurse".into())) && !then.contains(&(claimed, "Nurse".into())), "{then:?}");
    let then = run(&["export", "csv", "--as-of", &before_asking.to_string()], &house.data()).stdout;
    assert!(String::from_utf8(then).unwrap().contains("n/a,Nurse"));
    let replayed = run(&["replay"], &house.data());
    assert!(replayed.status.success(), "{}", said(&replayed));
}

fn newest(house: &House) -> u64 {
    let events = String::from_utf8(run(&["export", "jsonl"], &house.data()).stdout).unwrap();
    let last: serde_json::Value = serde_json::from_str(events.lines().last().unwrap()).unwrap();
    last["seq"].as_u64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn staff_note_a_call_and_an_answer_and_read_which_report_to_amend() {
    let house = filing(&[]).await;
    let (server, owner) = (&house.server, &house.owner);
    let donation = give_without(&house, "250", "ruth@example.org", "requested", "-").await;
    let post = async |what: &str, form: &[(&str, &str)]| {
        owner.post(server, &format!("{LIST}/{}/{what}", id(&donation)), form).await
    };
    let listed = list(&house).await;
    assert!(listed.contains("sends no letters") && !listed.contains("Send the letter"), "{listed}");
    let refused = post("letter", &[]).await;
    assert!(refused.status == 422 && refused.text().contains("This server sends no mail"), "{}", refused.text());
    for day in ["", "2020-01-01", "2999-01-01"] {
        let answer = post("asked", &[("how", "post"), ("day", day)]).await;
        assert!(answer.status == 422 && answer.text().contains("Write the day on which you asked"), "{day}");
        assert!(answer.text().contains(&format!("value=\"{day}\"")), "what was typed is kept");
        assert!(answer.text().contains("value=\"post\" checked"), "what was chosen is kept");
    }
    let zone = chrono_tz::America::New_York;
    let today = chrono::Utc::now().with_timezone(&zone).date_naive().to_string();
    assert_eq!(post("asked", &[("how", "phone"), ("day", &today)]).await.status, 303);
    assert!(list(&house).await.contains("Asked by phone on"));

    // A report is taken, then the donor answers: it is to be amended, until it is made again.
    works(&house, &report()).await;
    let wrong = post("answer", &[("employer", "none"), ("occupation", "Teacher")]).await;
    assert!(wrong.status == 422 && wrong.text().contains("value=\"Teacher\""), "{}", wrong.text());
    let answered = post("answer", &[("employer", "Duluth Schools"), ("occupation", "Teacher")]).await;
    assert_eq!(answered.header("location"), format!("{LIST}?committee=0&done=work-answered"));
    let year = chrono::Utc::now().year();
    let listed = list(&house).await;
    let wanted = format!("after a file was taken of YE (January 1, {year} to December 31, {year})");
    assert!(listed.contains(&wanted) && listed.contains("by Ana Ruiz, after"), "{listed}");
    let amend = "Amend the report that was taken before this donor told";
    until("there is nothing to amend", || async { work::page(&house, "").await.contains(amend) }).await;
    assert!(works(&house, &report()).await.contains(&("Duluth Schools".into(), "Teacher".into())));
    let listed = list(&house).await;
    assert!(listed.contains(">Answered<") && !listed.contains("file an amendment"), "{listed}");
    until("it is not amended", || async { work::page(&house, "").await.contains("Nothing is open") }).await;

    // What they said is sealed: erased, it is gone, and the list with it.
    let raw = String::from_utf8(run(&["export", "jsonl"], &house.data()).stdout).unwrap();
    assert!(raw.contains("\"kind\":\"donor.answered\"") && !raw.contains("Duluth"), "{raw}");
    assert!(raw.contains("\"what\":\"missing employers\""), "the list names donors");
    let erase = ["erase", "--reason", "letter 7", "--yes", "ruth@example.org"];
    let erased = run(&erase, &house.data());
    assert!(erased.status.success(), "{}", said(&erased));
    assert!(!list(&house).await.contains("ruth@example.org"));
    let fec = server.get_as(&owner.cookie, &report()).await.text();
    assert!(!fec.contains("Duluth"), "{fec}");
    let late = post("asked", &[("how", "phone"), ("day", &today)]).await;
    assert!(late.status == 422 || late.status == 409, "{}", late.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_after_a_report_was_filed_is_work_until_it_is_amended_or_somebody_says_why_not() {
    let house = filing(&[]).await;
    let (server, owner) = (&house.server, &house.owner);
    let mut gifts = vec![];
    for email in ["ruth@example.org", "omar@example.org"] {
        gifts.push(give_without(&house, "250", email, "-", "-").await);
    }
    let year = chrono::Utc::now().year();
    let (from, to) = (format!("{year}-01-01"), format!("{year}-12-31"));
    let form = [("code", "YE"), ("from", from.as_str()), ("to", to.as_str()), ("cash", "0"), ("early", "yes")];
    assert_eq!(owner.post(server, "/finance/filing/close", &form).await.status, 303);
    let open = work::page(&house, "kind=report").await;
    let by = format!("{}-02-01T04:59:59", year + 1);
    assert!(open.contains("File the report that period 1 was closed with") && open.contains(&by), "{open}");
    let filed = owner.post(server, "/finance/periods/1/filed", &[("filing", "FEC-1234567")]).await;
    assert_eq!(filed.status, 303, "{}", filed.text());
    let answer = async |donation: &String| {
        let path = format!("{LIST}/{}/answer", id(donation));
        let answered = owner.post(server, &path, &[("employer", "Duluth Schools"), ("occupation", "Teacher")]).await;
        assert_eq!(answered.status, 303, "{}", answered.text());
    };
    assert!(!work::page(&house, "").await.contains("after its report was filed"), "nothing came");
    answer(&gifts[0]).await;
    let period = server.get_as(&owner.cookie, "/finance/periods/1").await.text();
    assert!(period.contains("The donor told employer or occupation"), "{period}");
    let amendment = || work::page(&house, "kind=amendment");
    until("nothing is to be amended", || async { amendment().await.contains("after its report was filed") }).await;
    let open = amendment().await;
    let wanted = format!("Something came to YE, January 1 to December 31, {year}, after its report was filed");
    assert!(open.contains(&wanted) && open.contains("/finance/periods/1#since"), "{open}");

    // Somebody says why not; what comes later is another thing.
    let note = [("note", "It goes with the next report.")];
    let done = work::send(&house, owner, &open, "/finance/work/finish", &note).await;
    assert_eq!(done.status, 303, "{}", done.text());
    assert!(!work::page(&house, "").await.contains("after its report was filed"));
    assert!(work::page(&house, "show=done").await.contains("It goes with the next report."));
    answer(&gifts[1]).await;
    until("what came later is not told", || async { amendment().await.contains(&wanted) }).await;
    let amended = owner.post(server, "/finance/periods/1/amend", &[("cash", "0")]).await;
    assert_eq!(amended.header("location"), "/finance/periods/2?done=closed", "{}", amended.text());
    let open = work::page(&house, "").await;
    assert!(!open.contains("after its report was filed") && open.contains("that period 2 was closed with"), "{open}");
    assert!(work::page(&house, "show=done").await.contains("Amended by period 2."));
    let replayed = run(&["replay"], &house.data());
    assert!(replayed.status.success(), "{}", said(&replayed));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_finance_asks() {
    let house = filing(&[]).await;
    let (server, owner) = (&house.server, &house.owner);
    let donation = give_without(&house, "250", "ruth@example.org", "-", "-").await;
    let asked = format!("{LIST}/{}/asked", id(&donation));
    for path in [LIST.to_owned(), format!("{LIST}?committee=0")] {
        let stranger = server.get(&path).await;
        assert!(stranger.status == 303 && stranger.header("location").starts_with("/host/sign-in"));
    }
    let forged = server.post_as(&owner.cookie, &asked, &[("csrf", "forged")]).await;
    assert_eq!(forged.status, 403, "{}", forged.text());
    let host = ["staff", "add", "--email", "host@example.org", "--name", "Host", "--role", "host"];
    let added = run_with_input(&host, &house.data(), &format!("{}\n", crate::server::PASSWORD));
    assert!(added.status.success(), "{}", said(&added));
    let host = Staff::sign_in(server, "host@example.org").await;
    assert_eq!(server.get_as(&host.cookie, LIST).await.status, 403);
    assert_eq!(host.post(server, &asked, &[]).await.status, 403);
    for path in ["/finance/employers/x/asked", "/finance/employers/0193a1d2-5e70-7a80-9b1c-2d3e4f5061a1/answer"] {
        assert_eq!(owner.post(server, path, &[]).await.status, 404, "{path}");
    }
    assert_eq!(server.get_as(&owner.cookie, "/finance/employers?committee=9").await.status, 404);
}
