//! What was just done, in words.

use super::form::Form;
use super::view::Notice;

/// What was just done, as one line on the next page.
pub fn notice(query: &Form) -> Option<Notice> {
    let text = match query.get("done").as_str() {
        "created" => "The rally is made. Add the speakers next.",
        "revised" => "Saved.",
        "noted" => "Noted: it stands in the log with your account.",
        "opened" => "Doors are open.",
        "ended" => "The rally has ended.",
        "invited" => "Counted.",
        "speaker" => "Speaker added. Open “How to go live” and send it to them.",
        "removed" => "Speaker removed.",
        "item" => "Added to the run.",
        "item-removed" => "Taken out of the run.",
        "key" => "The old key no longer works. Send the new one.",
        "captions" => "The old address for captions no longer works. Send the captioner the new one.",
        "note" => "Your note is on the speaker’s page.",
        "revoked" => "Revoked: whoever asks with that token is refused from now on.",
        "hook" => "Added. It is told what happens from now on.",
        "hook-removed" => "Removed: nothing is sent there any more.",
        "hook-on" => "Switched on. What happened meanwhile is sent now.",
        "hook-off" => "Switched off. What happens meanwhile is sent when you switch it on again.",
        "hook-replay" => "Everything from that event on is sent again. Receivers know repeats by their id.",
        "hook-again" => "It is sent again now.",
        "rules" => "Saved: the rules hold for every gift from now on.",
        "filer" => "Saved: reports name it from now on.",
        "released" => "Released: the donor can pay now, and is told by mail where mail is on.",
        "turned-away" => "Turned away: nothing was charged, and the donor is told by mail where mail is on.",
        "redesignated" => "Redesignated: limits count it there from now on, and the next report tells of it.",
        "reattributed" => {
            "Reattributed: limits count it as the other person’s from now on, and the next report tells of it."
        }
        "undone" => "Undone: it counts again as it was given. If a report told of it, amend that report.",
        "work-letter" => {
            "The letter goes out now. It asks for this alone, and the donor can answer on a page of their own."
        }
        "work-asked" => "Noted, with your account: reports say from now on that you asked.",
        "work-answered" => "Saved: reports and files have it from now on.",
        "refunded" => "The refund is under way.",
        "refund-asked" => "Asked: it goes back when a second person approves it.",
        "refund-turned-down" => "Turned down: nothing goes back.",
        "refund-rule" => "Saved: it holds for every refund from now on.",
        "closed" => "Closed: what comes later is listed beneath, and changes nothing above.",
        "filed" => "Noted: what comes later is an amendment’s.",
        "period-withdrawn" => "Withdrawn: these days can be closed anew.",
        "assigned" => "Noted: the list says who has it.",
        "finished" => "Done: it stands among what was done, with your note.",
        "reopened" => "Open again.",
        "merged" => "Merged: from now on they count as one person.",
        "told-apart" => "Noted: they are two people, and don’t come back to this list.",
        "parted" => "Parted: from now on they count as two people again.",
        "clip" => "The clip is here. Play it from this list or put it into the run of show.",
        "clip-removed" => "Clip removed.",
        "recording" => "The recording is deleted.",
        "kept" => "Saved: the recording is kept as you said.",
        "restream" => "Added. It gets the program while the doors are open.",
        "restream-removed" => "Removed. Nothing is sent there any more.",
        "account" => "Your account is made. Welcome.",
        _ => return None,
    };
    Some(Notice { text: text.into(), bad: false })
}
