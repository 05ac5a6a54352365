//! Proofs that one line is in the chain; see [`crate::log::proof`].

use super::{Reader, look};
use crate::log::Fault;
use crate::log::frame::{Break, Header, merkle, v2};
use crate::log::proof::Proof;
use crate::log::store::Bytes;

/// A frame on the walk from a head to a line.
struct Step {
    header: Header,
    fields: v2::Fields,
    stored: Bytes,
}

impl Reader {
    /// Proves that event `seq` is in the chain that ends with the head as it is now.
    ///
    /// # Errors
    /// [`Fault::NoEvent`]; [`Fault::NoProof`] for an event in a frame of version 1; other faults when the log is damaged.
    pub fn prove(&self, seq: u64) -> Result<Proof, Fault> {
        self.prove_at(seq, self.bind()?.seq)
    }

    /// Proves that event `seq` is in the chain that ends with the frame of event `head_seq`: with the head that was
    /// published when that was the newest frame.
    ///
    /// # Errors
    /// As [`Reader::prove`]; also [`Fault::NoEvent`] when the head's frame comes before the event's.
    pub fn prove_at(&self, seq: u64, head_seq: u64) -> Result<Proof, Fault> {
        let event = self.step_of(seq)?;
        let mut at = self.step_of(head_seq)?;
        if at.fields.index < event.fields.index {
            return Err(Fault::NoEvent { seq, head: at.header.head().seq });
        }
        let head = at.header.head();
        let mut headers = Vec::new();
        loop {
            headers.extend(at.stored.first_chunk().copied());
            if at.fields.index <= event.fields.index {
                break;
            }
            at = self.step_back(&at, event.fields.index)?;
        }
        if at.header.hash != event.header.hash {
            return Err(Fault::Broken { first_seq: at.header.first_seq, cause: Break::Hash });
        }
        let frame = self.unpacked(&event.header, &event.stored)?;
        let (place, line) = frame
            .lines()
            .enumerate()
            .find_map(|(place, (number, line))| (number == seq).then_some((place, line)))
            .ok_or(Fault::NoEvent { seq, head: head.seq })?;
        let line = String::from_utf8(line.to_vec()).map_err(|_| Fault::NotText { seq })?;
        let path = merkle::path(frame.leaves(), place).ok_or(Fault::NoEvent { seq, head: head.seq })?;
        let proof = Proof::new(seq, line, head, headers, path);
        // What is handed out was checked; a frame edited on the disk shows here at the latest.
        match proof.verify(&head.hash) {
            Ok(_) => Ok(proof),
            Err(flaw) => Err(Fault::Unproven { seq, flaw }),
        }
    }

    /// The frame that one of `at`'s two links leads to: the farther one, unless that is before frame `index`.
    fn step_back(&self, at: &Step, index: u64) -> Result<Step, Fault> {
        let broken = |cause| Fault::Broken { first_seq: at.header.first_seq, cause };
        if let Some(step) = self.step_at(at.fields.skip_seq)?.filter(|step| step.fields.index >= index) {
            return if step.header.hash == at.fields.skip { Ok(step) } else { Err(broken(Break::Skip)) };
        }
        let before = self.step_of(at.header.first_seq.saturating_sub(1))?;
        if before.header.hash == at.header.previous { Ok(before) } else { Err(broken(Break::Hash)) }
    }

    fn step_of(&self, seq: u64) -> Result<Step, Fault> {
        let (header, stored) = self.frame_of(seq)?.ok_or(Fault::NoEvent { seq, head: self.head().seq })?;
        let fields = header.proof.ok_or(Fault::NoProof { seq })?;
        Ok(Step { header, fields, stored })
    }

    fn step_at(&self, first_seq: u64) -> Result<Option<Step>, Fault> {
        let found = look::frame_at(&*self.store, first_seq)?;
        Ok(found.and_then(|(header, stored)| Some(Step { header, fields: header.proof?, stored })))
    }
}
